//! Commands that a master passes on to its workers.

use super::*;

/// The whole conversation of a client that says `text` and no more.
fn converse(socket: &Path, text: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn pid_of(info: &str) -> Option<u32> {
    info.lines().find_map(|line| line.strip_prefix("Pid: ")).map(|pid| pid.parse().unwrap())
}

#[test]
fn workers_answer_clients_of_the_masters_socket() {
    let socket = directory("forward").join("m.sock");
    let proxy =
        Proxy::start("forward", &["-W", "-db", "-S", &format!("{},level,admin", socket.display())], "");
    let first = proxy.workers()[0];
    assert_eq!(pid_of(&converse(&socket, "@1 show info\n")), Some(first));
    // What is said to it comes whole, however long it is.
    let stat = ask(&proxy.dir.join("stats.sock"), "show stat json").unwrap();
    assert_eq!(converse(&socket, "@1 show stat json").len(), stat.len());

    // An old worker can be asked while it waits for its last clients.
    let mut waiting = TcpStream::connect(proxy.address).unwrap();
    waiting.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("the request is at the server", || proxy.server.waiting.load(SeqCst) == 1);
    assert!(converse(&socket, "reload").starts_with("Success=1\n"));
    until("there are two workers", || proxy.workers().len() == 2);
    let second = proxy.workers().into_iter().find(|pid| *pid != first).unwrap();
    assert_eq!(pid_of(&converse(&socket, "@1 show info\n")), Some(second));
    assert_eq!(pid_of(&converse(&socket, &format!("@!{first} show info\n"))), Some(first));
    assert!(converse(&socket, &format!("@!{first} show info\n")).contains("\nStopping: 1\n"));
    proxy.server.go.store(true, SeqCst);
    drop(waiting);
    until("the old worker is gone", || proxy.workers() == [second]);
    until("it is not known any more", || {
        converse(&socket, &format!("@!{first} show info\n"))
            == format!("Can't find the target PID matching the prefix '@!{first}'\n")
    });
}

#[test]
fn conversations_with_a_master_are_haproxys() {
    let dialogues = [
        "@1 show cli level\n",
        "@2 show info\n",
        "@!1 show info\n",
        "@foo show info\n",
        "@\n",
        "@1\n",
        "@1;show cli level\n",
        "@1\nshow cli level\n",
        "@1 user;show cli level\n",
        "@1 show cli level;@master show cli level;show cli level\n",
        "@1 quit\n",
        "@1 prompt\n",
        "operator\n@1 show cli level\n",
        "prompt\n@1\nshow cli level\n@1 show cli level\n@master\nshow cli level\n",
        "prompt\n@1 show cli level\nshow cli level\n",
        "prompt\n@1\nprompt\nshow cli level\n",
        "prompt\n@2\nshow cli level\n",
        "prompt\n@!WORKER\nshow cli level\n@!WORKER show cli level\n",
        "prompt\n@1\nuser\nshow cli level\noperator\nshow cli level\n",
        "prompt\noperator\n@1 show cli level\n@1\nshow cli level\nuser\nshow cli level\n@master\nshow cli level\n",
    ];
    let talk = |socket: &Path, workers: Vec<u32>| -> Vec<String> {
        let worker = workers[0].to_string();
        let replies = dialogues.iter().map(|text| converse(socket, &text.replace("WORKER", &worker)));
        replies.map(|text| text.replace(&worker, "WORKER")).collect()
    };
    let flags = |name: &str| format!("{}/m.sock,level,admin", directory(name).display());
    let ours = Proxy::start("dialogue", &["-W", "-db", "-S", &flags("dialogue")], "");
    let said = talk(&ours.dir.join("m.sock"), ours.workers());

    let dir = directory("dialogue-haproxy");
    std::fs::create_dir_all(&dir).unwrap();
    let address = free();
    std::fs::write(dir.join("proxy.cfg"), config(&dir, address, ours.server.address, "")).unwrap();
    let child = spawn(Path::new("haproxy"), &dir, &["-W", "-db", "-S", &flags("dialogue-haproxy")], |_| {});
    let theirs = Proxy { dir, address, server: ours.server.clone(), child };
    let socket = theirs.dir.join("m.sock");
    until("haproxy answers", || theirs.get().is_ok() && UnixStream::connect(&socket).is_ok());
    let expected = talk(&socket, theirs.workers());
    for ((text, said), expected) in dialogues.iter().zip(said).zip(expected) {
        assert_eq!(said, expected, "{text:?}");
    }
}
