//! libFuzzer's entry to [`evenkeel_fuzz::targets::log_format`]; on stable it runs the files it is given.
#![cfg_attr(fuzzing, no_main)]

evenkeel_fuzz::entry!(log_format);
