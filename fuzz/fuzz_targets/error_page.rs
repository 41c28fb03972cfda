//! libFuzzer's entry to [`evenkeel_fuzz::targets::error_page`]; on stable it runs the files it is given.
#![cfg_attr(fuzzing, no_main)]

evenkeel_fuzz::entry!(error_page);
