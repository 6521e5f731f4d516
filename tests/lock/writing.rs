//! Writing the file: it is complete and correct, and no entry is lost, even if several runs write.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use crate::support::registry::{Content, Fault, Misbehaviour};
use crate::support::{Ran, digest_of, finish, finish_within, for_every_host, start};
use crate::{HEAD, Setup, images, lock_of, own, pods, says};

#[cfg(target_os = "linux")]
#[test]
fn a_lock_that_cannot_be_written_stays_unchanged_and_stdout_is_empty() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let before = lock_of(&[own("docker.io/acme/web:v1")]);
    let setup = Setup::locked(Content::everything(), &before);
    let manifests = pods(&["acme/new:v1"]);
    let out = setup.folder.path().join("out.yaml");
    fs::write(&out, "old").expect("writable");

    // The disk is full: no file may have any content.
    let registry = for_every_host(&setup.registry);
    for flags in [&[][..], &["-o", "out.yaml"]] {
        let mut full = std::process::Command::new("sh");
        full.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_digestif"))
            .args(["--lock", "images.lock.yaml", &registry])
            .args(flags)
            .current_dir(setup.folder.path());
        let said = finish(start(&mut full), manifests.as_bytes()).failed(2);
        says(&said, &["the file can't be written: File too large", "no file was changed"]);
        assert_eq!(setup.lock(), before);
    }
    assert_eq!(fs::read_to_string(&out).expect("there"), "old");
    assert_eq!(setup.files().len(), 2, "{:?}", setup.files());

    let file = setup.path();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).expect("ours");
    let said = setup.run(&[], &manifests).failed(2);
    says(&said, &["`--lock` can't write the file: permission denied", "--> images.lock.yaml"]);
    assert_eq!(setup.lock(), before);
    fs::remove_file(&file).expect("ours");

    // A folder in which not even root can create files.
    for (lock, message) in [
        ("/proc/images.lock.yaml", "`--lock` can't write the file: "),
        (".", "the file can't be written: is a directory"),
        ("/dev/null", "the lock must be a file"),
        ("nowhere/images.lock.yaml", "the file can't be written: No such file or directory"),
    ] {
        let said = setup.without(&[], &["--lock", lock], &manifests).failed(2);
        says(&said, &[message]);
    }

    // A link stays a link, and its target is written.
    fs::create_dir(setup.folder.path().join("shared")).expect("writable");
    symlink("shared/lock.yaml", &file).expect("writable");
    for image in ["acme/new:v1", "acme/other:v1"] {
        setup.run(&[], &pods(&[image])).succeeded();
        assert!(fs::symlink_metadata(&file).expect("there").is_symlink());
    }
    let both = lock_of(&[own("docker.io/acme/new:v1"), own("docker.io/acme/other:v1")]);
    let target = setup.folder.path().join("shared/lock.yaml");
    assert_eq!(fs::read_to_string(target).expect("written"), both);
}

#[cfg(unix)]
#[test]
fn the_lock_is_correct_if_a_pipe_breaks_later() {
    let setup = Setup::new(Content::everything());
    let mut child = setup.child(&[]);
    drop(child.stdout.take());
    let mut manifests = pods(&["acme/web:v1"]);
    writeln!(manifests, "# {}", "x".repeat(1 << 20)).expect("a string takes all");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), manifests.as_bytes())
        .expect("it reads all");
    assert_eq!(child.wait().expect("it ends").code(), Some(2));
    assert_eq!(setup.lock(), lock_of(&[own("docker.io/acme/web:v1")]));
}

#[cfg(unix)]
#[test]
fn a_slow_reader_does_not_stop_other_runs_from_recording() {
    let setup = Setup::new(Content::everything());
    let mut slow = setup.child(&[]);
    let mut input = slow.stdin.take().expect("piped");
    // This is more than the buffer of a pipe holds, so the run waits for its reader.
    let manifests = pods(&["acme/slow:v1"]) + &format!("# {}\n", "x".repeat(1 << 20));
    std::io::Write::write_all(&mut input, manifests.as_bytes()).expect("it reads all");
    drop(input);
    let clock = Instant::now();
    while !setup.path().exists() {
        let ended = slow.try_wait().expect("ours").is_some();
        if ended || clock.elapsed() > Duration::from_secs(60) {
            slow.kill().expect("ours");
            panic!("it does not record before it prints");
        }
        std::thread::yield_now();
    }
    setup.run(&["--timeout=5"], &pods(&["acme/web:v1"])).succeeded();
    let given = slow.wait_with_output().expect("it ends");
    assert_eq!((given.status.code(), given.stdout.len() > 1 << 20), (Some(0), true));
    let both = ["docker.io/acme/slow:v1", "docker.io/acme/web:v1"].map(own);
    assert_eq!(setup.lock(), lock_of(&both));
}

#[test]
fn runs_that_record_at_once_lose_nothing() {
    let setup = Setup::new(Content::everything());
    let images: Vec<_> = (0..8).map(|n| format!("docker.io/acme/web-{n}:v1")).collect();
    let children: Vec<_> = images.iter().map(|_| setup.child(&[])).collect();
    let ended = children.into_iter().zip(&images).map(|(child, image)| {
        let manifests = pods(&[image, "acme/shared:v1"]);
        std::thread::spawn(move || finish(child, manifests.as_bytes()).succeeded())
    });
    for run in ended.collect::<Vec<_>>() {
        run.join().expect("it succeeds");
    }
    let mut entries = vec![own("docker.io/acme/shared:v1")];
    entries.extend(images.iter().map(|image| own(image)));
    assert_eq!(setup.lock(), lock_of(&entries));
    assert_eq!(setup.files().len(), 1, "{:?}", setup.files());
}

#[cfg(unix)]
#[test]
fn a_run_waits_only_some_time_for_a_lock_that_another_run_holds() {
    let setup = Setup::new(Content::everything());
    let folder = fs::File::open(setup.folder.path()).expect("readable");
    folder.lock().expect("no other process locks the folder");
    let manifests = pods(&["acme/web:v1"]);
    let child = setup.child(&["--timeout=1"]);
    let limit = Duration::from_secs(60);
    let said = finish_within("a run without the lock", child, manifests.as_bytes(), limit);
    says(
        &said.failed(4),
        &[
            "error: another run still holds the lock after 1 s",
            "--> images.lock.yaml",
            "`--timeout`",
        ],
    );
    assert_eq!(setup.files().len(), 0);
    // A run without a new entry does not wait for the lock file.
    setup.write(lock_of(&[own("docker.io/acme/web:v1")]));
    setup.run(&["--timeout=1"], &manifests).succeeded();
    let child = setup.child(&["--timeout=3600"]);
    let manifests = pods(&["acme/new:v1"]);
    let run = std::thread::spawn(move || finish(child, manifests.as_bytes()));
    while setup.registry.requests_to("acme/new") == 0 {
        assert!(!run.is_finished(), "it ends before it asks: {:?}", run.join());
        std::thread::yield_now();
    }
    folder.unlock().expect("ours");
    run.join().expect("it ends").succeeded();
    let both = ["docker.io/acme/new:v1", "docker.io/acme/web:v1"].map(own);
    assert_eq!(setup.lock(), lock_of(&both));
}

/// Starts a run that reads the lock and waits for its registry until `meanwhile` has returned.
fn overtaken(before: &str, flags: &[&str], meanwhile: impl FnOnce(&Setup)) -> (Ran, Setup) {
    let after = Misbehaviour::After("acme/gate".to_owned());
    let content = Content::everything().with_fault(Fault::on("acme/slow", after));
    let setup = Setup::locked(content, before);
    let child = setup.child(flags);
    let manifests = pods(&["acme/slow:v1"]);
    let run = std::thread::spawn(move || finish(child, manifests.as_bytes()));
    while setup.registry.requests_to("acme/slow") == 0 {
        assert!(!run.is_finished(), "it ends before it asks: {:?}", run.join());
        std::thread::yield_now();
    }
    meanwhile(&setup);
    setup.without(&[], &["explain", "acme/gate:v1"], "").succeeded();
    (run.join().expect("it ends"), setup)
}

#[test]
fn entries_that_another_run_recorded_meanwhile_are_kept() {
    let empty = format!("{HEAD}images: []\n");
    let slow = || own("docker.io/acme/slow:v1");
    let (ran, setup) = overtaken(&empty, &[], |setup| {
        setup.run(&[], &pods(&["acme/web:v1"])).succeeded();
    });
    ran.succeeded();
    assert_eq!(setup.lock(), lock_of(&[slow(), own("docker.io/acme/web:v1")]));

    // Both runs record the same digest.
    let (ran, setup) = overtaken(&empty, &[], |setup| setup.write(lock_of(&[slow()])));
    ran.succeeded();
    assert_eq!(setup.lock(), lock_of(&[slow()]));

    // The runs have different digests: the first one wins, and the second run fails with a message.
    let other = slow().replace(&digest_of("acme/slow:v1"), &format!("sha256:{}", "2".repeat(64)));
    let (ran, setup) = overtaken(&empty, &[], |setup| setup.write(lock_of(&[&*other])));
    let said = ran.failed(4);
    says(
        &said,
        &["error: the lock has another entry for `docker.io/acme/slow:v1` than this run found"],
    );
    assert_eq!(setup.lock(), lock_of(&[&*other]));
    let again = setup.run(&[], &pods(&["acme/slow:v1"])).succeeded();
    assert!(images(&again)[0].ends_with("2222"), "{again}");

    // An update fails only if the other run recorded another digest.
    let (ran, setup) = overtaken(&lock_of(&[&*other]), &["--update"], |_| {});
    ran.succeeded();
    assert_eq!(setup.lock(), lock_of(&[slow()]));
    let third = other.replace(&"2".repeat(64), &"3".repeat(64));
    let (ran, setup) = overtaken(&lock_of(&[other]), &["--update"], |setup| {
        setup.write(lock_of(&[&*third]));
    });
    ran.failed(4);
    assert_eq!(setup.lock(), lock_of(&[third]));

    // A file that another process broke stays unchanged.
    let (ran, setup) = overtaken(&empty, &[], |setup| setup.write("<<<<<<<\n"));
    says(&ran.failed(2), &["the lock is wrong"]);
    assert_eq!(setup.lock(), "<<<<<<<\n");
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_leaves_the_old_lock_or_the_new_one() {
    let entries: Vec<_> = (100..400).map(|n| own(&format!("docker.io/acme/web-{n}:v1"))).collect();
    let before = lock_of(&entries);
    let setup = Setup::locked(Content::everything(), &before);
    let manifests = pods(&["docker.io/acme/a:v1", "docker.io/acme/z:v1"]);
    let clock = Instant::now();
    setup.run(&[], &manifests).succeeded();
    let whole = clock.elapsed();
    let after = setup.lock();
    assert_ne!(before, after);
    let steps = 60;
    let mut left = (0, 0);
    for n in 0..steps {
        setup.write(&before);
        let mut child = setup.child(&[]);
        let input = child.stdin.take().expect("piped");
        let text = manifests.clone();
        // A killed child closes its end of the pipe.
        let feed = std::thread::spawn(move || {
            let mut input = input;
            let _ = std::io::Write::write_all(&mut input, text.as_bytes());
        });
        // Each run is killed later than the one before, up to the time of a whole run.
        let (clock, until) = (Instant::now(), whole * n / steps);
        while clock.elapsed() < until {
            std::hint::spin_loop();
        }
        child.kill().expect("ours");
        child.wait().expect("ours");
        feed.join().expect("it can't panic");
        match setup.lock() {
            lock if lock == before => left.0 += 1,
            lock if lock == after => left.1 += 1,
            lock => panic!("a mixture: {} bytes", lock.len()),
        }
    }
    println!("of {steps} killed runs {} left the old lock, {} the new one", left.0, left.1);
    // The files of killed runs do not affect later runs.
    setup.write(&before);
    setup.run(&[], &manifests).succeeded();
    assert_eq!(setup.lock(), after);
}
