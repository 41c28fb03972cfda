//! libFuzzer's entry to [`evenkeel_fuzz::targets::http_answer`]; on stable it runs the files it is given.
#![cfg_attr(fuzzing, no_main)]

evenkeel_fuzz::entry!(http_answer);
