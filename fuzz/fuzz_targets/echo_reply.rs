//! libFuzzer's entry to [`evenkeel_fuzz::targets::echo_reply`]; on stable it runs the files it is given.
#![cfg_attr(fuzzing, no_main)]

evenkeel_fuzz::entry!(echo_reply);
