//! The limits of a decoder, which the system holds it to from before its first byte of a file.
//!
//! Limits of resources everywhere: with no descriptor to be had, no file and no socket can be opened. On Linux a filter of
//! system calls besides (seccomp, by the crate of Firecracker): memory, clocks and the pipes that are open, nothing else; no
//! processes and threads either. Landlock would add nothing: there is no call left for it to judge.

use std::io;

/// Confines this process, for ever: `memory` bytes of address space beyond what it takes now, `seconds` of processor time,
/// no files, no network, no processes. The filter binds the calling thread and what it starts: call it with one thread.
#[cfg(unix)]
pub fn confine(memory: u64, seconds: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    // Nobody may ask for more than they were given.
    let limit = |resource, current: u64, maximum: u64| {
        let maximum = getrlimit(resource).maximum.map_or(maximum, |given| given.min(maximum));
        let limits = Rlimit { current: Some(current.min(maximum)), maximum: Some(maximum) };
        setrlimit(resource, limits).map_err(io::Error::from)
    };
    // Whoever asked for this is gone: nobody wants the answer.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // Where the memory of all is used up the kernel shall take this process, and not the worker.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    // The space that is taken is asked of a file.
    let space = mapped().saturating_add(memory);
    for none in [Resource::Core, Resource::Fsize, Resource::Nproc, Resource::Nofile] {
        limit(none, 0, 0)?;
    }
    // The first ends it with a signal of its own, which tells the worker why.
    limit(Resource::Cpu, seconds, seconds + 1)?;
    let bounded = limit(Resource::As, space, space);
    // macOS knows this limit, and refuses it.
    if cfg!(target_os = "linux") {
        bounded?;
    }
    #[cfg(target_os = "linux")]
    filter()?;
    Ok(())
}

/// There are no such limits here: the checks before decoding, and the worker's own time limit.
#[cfg(not(unix))]
pub fn confine(_memory: u64, _seconds: u64) -> io::Result<()> {
    Ok(())
}

/// Bytes of address space that this process takes: its program and libraries, the same pages for all of them.
#[cfg(unix)]
fn mapped() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map_or(64 << 20, |kib| kib << 10)
}

/// Has the kernel refuse every other system call; a kernel or processor without such filters leaves it at the limits.
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
    // How a program ends itself; nobody else.
    let own = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        std::process::id().into(),
    );
    let own = own.and_then(|own| SeccompRule::new(vec![own])).map_err(io::Error::other)?;
    rules.insert(libc::SYS_tgkill, vec![own]);
    // Libraries know what to do where a call does not exist.
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
