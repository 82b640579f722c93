//! The limits of a decoder, which the kernel enforces from before the first byte of the file is read.
//!
//! Resource limits on every Unix: without a free descriptor, no file and no socket can be opened. On Linux also a filter of
//! system calls (seccomp, by Firecracker's crate): it allows memory, clocks and the open pipes, and no processes or
//! threads. Landlock would add nothing: no call is left for it to judge.

use std::io;

/// Confines this process irrevocably: `memory` bytes of address space beyond what it takes now, `seconds` of processor
/// time, no files, no network, no processes. The filter binds the calling thread and what it starts: call this while there
/// is one thread.
#[cfg(unix)]
pub fn confine(memory: u64, seconds: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    // An inherited hard limit cannot be raised.
    let limit = |resource, current: u64, maximum: u64| {
        let maximum = getrlimit(resource).maximum.map_or(maximum, |given| given.min(maximum));
        let limits = Rlimit { current: Some(current.min(maximum)), maximum: Some(maximum) };
        setrlimit(resource, limits).map_err(io::Error::from)
    };
    // When the worker that started this process is gone, nobody reads the answer.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // When the machine runs out of memory, the kernel must kill this process and not the worker.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    // Before the limits: `mapped` reads a file.
    let space = mapped().saturating_add(memory);
    for none in [Resource::Core, Resource::Fsize, Resource::Nproc, Resource::Nofile] {
        limit(none, 0, 0)?;
    }
    // The soft limit ends the process with a signal of its own, which tells the worker why.
    limit(Resource::Cpu, seconds, seconds + 1)?;
    let bounded = limit(Resource::As, space, space);
    // macOS has this limit, but refuses to set it.
    if cfg!(target_os = "linux") {
        bounded?;
    }
    #[cfg(target_os = "linux")]
    filter()?;
    Ok(())
}

/// There are no such limits here: the checks before decoding remain, and the worker's own time limit.
#[cfg(not(unix))]
pub fn confine(_memory: u64, _seconds: u64) -> io::Result<()> {
    Ok(())
}

/// Bytes of address space that this process takes: its program and libraries, whose pages all decoders share.
#[cfg(unix)]
fn mapped() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map_or(64 << 20, |kib| kib << 10)
}

/// Makes the kernel refuse every other system call. Where the kernel or processor has no such filters, only the limits
/// apply.
#[cfg(target_os = "linux")]
fn filter() -> io::Result<()> {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
        SeccompFilter, SeccompRule, TargetArch,
    };

    const ALLOWED: [i64; 22] = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_sched_yield,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(()) };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    // A program may send signals to itself, which is how it aborts, and to no other process.
    let own = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        std::process::id().into(),
    );
    let own = own.and_then(|own| SeccompRule::new(vec![own])).map_err(io::Error::other)?;
    rules.insert(libc::SYS_tgkill, vec![own]);
    // `ENOSYS`: libraries know what to do where a call does not exist.
    let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let program: BpfProgram = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)
        .and_then(TryInto::try_into)
        .map_err(io::Error::other)?;
    match seccompiler::apply_filter(&program) {
        Ok(()) => Ok(()),
        Err(Error::Prctl(error) | Error::Seccomp(error))
            if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) =>
        {
            Ok(())
        }
        Err(error) => Err(io::Error::other(error)),
    }
}
