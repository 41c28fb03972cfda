//! libFuzzer's entry to [`evenkeel_fuzz::targets::dns_reply`]; on stable it runs the files it is given.
#![cfg_attr(fuzzing, no_main)]

evenkeel_fuzz::entry!(dns_reply);
