//! libFuzzer's entry to [`evenkeel_fuzz::targets::keepalived_config`]; on stable it runs the files it is given.
#![cfg_attr(fuzzing, no_main)]

evenkeel_fuzz::entry!(keepalived_config);
