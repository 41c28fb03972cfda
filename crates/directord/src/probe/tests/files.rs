//! `FILE_CHECK`.

use super::super::WeightChange;
use super::{Lab, on_reactor};
use std::fs;

#[test]
fn a_number_in_a_file_is_up_down_or_a_weight() {
    let directory = std::env::temp_dir().join(format!("evenkeel-file-check-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("number");
    fs::write(&file, "0\n").unwrap();
    on_reactor(async || {
        let lab = Lab::start(&format!(
            "track_file number {{\n file {}\n}}\nvirtual_server 192.0.2.1 80 {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n\
             real_server 127.0.0.1 1 {{\n FILE_CHECK {{\n track_file number\n weight 0\n }}\n}}\n\
             real_server 127.0.0.1 2 {{\n FILE_CHECK {{\n track_file number\n weight 3\n }}\n}}\n}}\n",
            file.display()
        ));
        let first = lab.first(2).await;
        assert!(first.iter().all(|verdict| verdict.up), "{first:?}");
        fs::write(&file, "2\n").unwrap();
        for _ in 0..2 {
            match lab.next().await {
                (0, verdict) => assert!(!verdict.up && verdict.changed, "{verdict:?}"),
                (_, verdict) => assert_eq!(verdict.weight, Some(WeightChange::Sum(6))),
            }
        }
        fs::remove_file(&file).unwrap();
        for _ in 0..2 {
            match lab.next().await {
                (0, verdict) => assert!(verdict.up && verdict.changed, "{verdict:?}"),
                (_, verdict) => assert_eq!(verdict.weight, Some(WeightChange::Sum(0))),
            }
        }
    });
    fs::remove_dir_all(&directory).unwrap();
}
