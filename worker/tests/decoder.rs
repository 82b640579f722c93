//! Tests a decoder as a process: what it cannot do, and what it makes of files that are honest, hostile or cut short. The
//! names of tests that run only in a process of their own begin with `inside`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use erp_core::documents::FileKind;
use erp_dev::samples;
use erp_files::Need;
use erp_worker::documents::decoder;

const PROGRAM: &str = env!("CARGO_BIN_EXE_erp-worker");
const MIB: u64 = 1 << 20;

fn decoder(extension: &str, len: usize, memory: u64) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(["decode", extension, &len.to_string(), &memory.to_string(), "15"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Decodes `bytes` within `memory`.
fn decode(extension: &str, bytes: &[u8], memory: u64) -> Output {
    let mut child = decoder(extension, bytes.len(), memory).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let given = thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    given.join().unwrap();
    output
}

/// The first line of an answer.
fn head(output: &Output) -> String {
    String::from_utf8_lossy(output.stdout.split(|byte| *byte == b'\n').next().unwrap()).into_owned()
}

/// Waits until a decoder is confined; returns its status from `/proc`.
fn until_confined(pid: u32) -> String {
    for _ in 0..2000 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if status.contains("Seccomp:\t2") {
            return status;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("{pid} is not confined");
}

#[test]
fn a_decoder_is_confined_before_it_reads() {
    let mut child = decoder("png", 1000, 200 * MIB).env("SECRET", "hidden").spawn().unwrap();
    let status = until_confined(child.id());
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Threads:\t1"), "{status}");
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).take(2).collect::<Vec<_>>()
    };
    for none in ["Max open files", "Max file size", "Max core file size", "Max processes"] {
        assert_eq!(limit(none), ["0", "0"], "{none}");
    }
    assert_eq!(limit("Max cpu time"), ["15", "16"]);
    let space: u64 = limit("Max address space")[0].parse().unwrap();
    assert!(space > 200 * MIB && space < 600 * MIB, "{space}");
    // Three pipes, and what this test process itself has inherited.
    let open = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().map(|fd| fd.unwrap());
    let inherited = |fd: &fs::DirEntry| {
        let own = fs::read_link(PathBuf::from("/proc/self/fd").join(fd.file_name()));
        own.is_ok_and(|own| fs::read_link(fd.path()).is_ok_and(|other| own == other))
    };
    assert_eq!(open.filter(|fd| !inherited(fd)).count(), 3);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs the test `name` of this program alone, in a process that may be confined.
fn alone(name: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn no_file_no_socket_and_no_process_can_be_had() {
    let output = alone("inside_nothing_can_be_opened");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let output = alone("inside_memory_is_bounded");
    assert!(output.status.signal().is_some(), "{}", output.status);
    assert!(String::from_utf8_lossy(&output.stderr).contains("memory allocation of"));
    let output = alone("inside_time_is_bounded");
    assert_eq!(output.status.signal(), Some(24), "SIGXCPU: {}", output.status);
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn inside_nothing_can_be_opened() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("decoder");
    fs::write(&file, "a").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    TcpStream::connect(address).unwrap();
    decoder::confine(256 * MIB, 30).unwrap();
    assert!(fs::File::open(&file).is_err());
    assert!(fs::File::open("/etc/passwd").is_err());
    assert!(fs::write(folder.join("decoder-new"), "b").is_err());
    assert!(fs::remove_file(&file).is_err());
    assert!(fs::read_dir("/").is_err());
    assert!(TcpStream::connect(address).is_err());
    assert!(TcpListener::bind("127.0.0.1:0").is_err());
    assert!(UdpSocket::bind("127.0.0.1:0").is_err());
    assert!(std::os::unix::net::UnixStream::pair().is_err());
    assert!(Command::new("/bin/true").spawn().is_err());
    assert!(thread::Builder::new().spawn(|| {}).is_err());
    assert!(listener.accept().is_err(), "what was open is of no use");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn inside_memory_is_bounded() {
    decoder::confine(64 * MIB, 30).unwrap();
    let bytes = vec![1_u8; 80 << 20];
    println!("{}", bytes.len());
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn inside_time_is_bounded() {
    decoder::confine(64 * MIB, 1).unwrap();
    loop {
        std::hint::spin_loop();
    }
}

#[test]
fn honest_files_fit_in_what_their_headers_say() {
    let plain = samples::jpeg(2400, 1800, 1);
    let turned = samples::from_a_phone(&plain, 6);
    let files = [
        ("jpg", plain),
        ("jpg", turned),
        ("jpg", samples::jpeg(640, 480, 1)),
        ("jpg", samples::jpeg(1, 20_000, 1)),
        ("png", samples::png(1500, 1100, 1)),
        ("png", samples::png(2500, 1900, 1)),
        ("png", samples::png_deep(8192, 8191, 6)),
        ("png", samples::png_interlaced(8000, 6000)),
        ("webp", samples::webp(2500, 1900, 1)),
        ("gif", samples::gif(2000, 1500, 2)),
        ("pdf", samples::pdf(300, &["Rapport"])),
        ("docx", samples::docx("Rapport")),
        ("xlsx", samples::xlsx(&[vec!["a"]])),
        ("txt", b"Compte rendu".to_vec()),
    ];
    for (extension, bytes) in files {
        let need = Need::of(&bytes, FileKind::from_extension(extension).unwrap()).bytes;
        assert!(need < 384 * MIB, "{extension}: {need}");
        let output = decode(extension, &bytes, need);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{extension} in {} MiB: {said}", need / MIB);
        assert!(!head(&output).contains("Defect"), "{extension}: {}", head(&output));
    }
}

#[test]
fn a_hostile_file_gets_no_further_than_its_limits() {
    for (name, bytes) in samples::hostile() {
        let extension = name.rsplit_once('.').unwrap().1;
        let kind = FileKind::from_extension(extension).unwrap();
        let need = Need::of(&bytes, kind).bytes.min(384 * MIB);
        let output = decode(extension, &bytes, need);
        let refused = head(&output).contains("Defect");
        // Ended by a limit, with a signal, and not because it could not begin.
        assert!(
            refused || output.status.signal().is_some(),
            "{name}: {} {}",
            output.status,
            head(&output)
        );
        assert_ne!(output.status.signal(), Some(9), "{name}");
    }
}

#[test]
fn a_file_that_does_not_arrive_whole_is_nobody_s_fault() {
    let mut child = decoder("png", 1000, 200 * MIB).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"half").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

#[test]
fn a_decoder_does_not_outlive_whoever_started_it() {
    // A shell gives no input to what it starts in the background, unless under another descriptor.
    let script = r#"exec 3<&0; "$0" decode png 1000 200000000 15 <&3 & echo $!; wait"#;
    let mut shell = Command::new("sh")
        .args(["-c", script, PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = number(&mut shell);
    until_confined(pid);
    shell.kill().unwrap();
    // Its input stays open: it does not end because of that.
    let _open = shell.stdin.take();
    shell.wait().unwrap();
    let gone = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    for _ in 0..2000 {
        if gone() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("{pid} goes on");
}

/// The number on the first line that the child has written.
fn number(child: &mut Child) -> u32 {
    let mut line = String::new();
    for byte in std::io::BufReader::new(child.stdout.as_mut().unwrap()).bytes() {
        match byte.unwrap() {
            b'\n' => break,
            byte => line.push(byte.into()),
        }
    }
    line.parse().unwrap()
}
