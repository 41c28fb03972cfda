//! Writes the seed corpora: `seeds FOLDER` makes `FOLDER/TARGET/…`, one file per seed.

use evenkeel_fuzz::{TARGETS, seeds};
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("corpus"), PathBuf::from);
    for target in TARGETS {
        let corpus = folder.join(target.name);
        std::fs::create_dir_all(&corpus)?;
        let seeds = seeds::of(target.name)?;
        for seed in &seeds {
            std::fs::write(corpus.join(&seed.name), &seed.bytes)?;
        }
        println!("{}: {} seeds", target.name, seeds.len());
    }
    Ok(())
}
