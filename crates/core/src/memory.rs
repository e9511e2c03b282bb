//! The allocator, told to be small: the agent works for moments and sleeps for hours.

/// Makes glibc's allocator give memory back. Called first thing by the agent, before there are threads.
///
/// One arena for all threads (`mallopt(3)`). The heap grows and shrinks by a MiB, so that a batch of events costs no
/// system call for each of its bodies; what is free is given back at rest. Measured by `cargo bench`, footprint and
/// delivery.
#[cfg(target_env = "gnu")]
pub fn keep_small() {
    const MIB: i32 = 1024 * 1024;
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_TRIM_THRESHOLD, MIB),
        (libc::M_MMAP_THRESHOLD, MIB),
        (libc::M_TOP_PAD, MIB),
    ] {
        #[expect(unsafe_code, reason = "mallopt has no safe form; it takes two numbers, and any are allowed")]
        // SAFETY: no memory of ours is involved, and no other thread runs yet.
        unsafe {
            libc::mallopt(parameter, value);
        }
    }
}

/// Gives back what is not needed while work is over for a while: free memory inside the heap (`malloc_trim(3)`), and
/// what is mapped of this program's code and constants. It stays in the page cache, which the kernel can now reclaim at once
/// where memory is short, and is mapped again, without a read, when it is used.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    #[expect(unsafe_code, reason = "malloc_trim has no safe form")]
    // SAFETY: it takes no memory of ours, only what is free, under the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
    let maps = std::path::Path::new("/proc/self/maps");
    let Ok(maps) = crate::files::read_text_bounded(maps, 16 * 1024 * 1024) else { return };
    let here = give_back as *const () as usize;
    let Some(code) = maps.lines().find_map(|line| code_around(here, line)) else { return };
    let constants = maps.lines().find_map(|line| constants_before(code.0, line));
    for (from, length) in constants.into_iter().chain([code]) {
        #[expect(unsafe_code, reason = "madvise has no safe form")]
        // SAFETY: a private mapping of a file that may not be written to, and was not before, holds nothing but what the
        // file holds, and the kernel maps a page of it again when it is touched, such as by the return from this very call
        // (madvise(2)).
        unsafe {
            libc::madvise(from as *mut libc::c_void, length, libc::MADV_DONTNEED);
        }
    }
}

/// Start and length of the mapping in a line of `/proc/PID/maps` (`proc_pid_maps(5)`), where it is code around an
/// address.
#[cfg(target_env = "gnu")]
fn code_around(address: usize, line: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let [from, to] = [from, to].map(|text| usize::from_str_radix(text, 16));
    let (from, to) = (from.ok()?, to.ok()?);
    // Only what may be read and run and not written to, and is not shared: relocated data lies in other mappings.
    (rest.starts_with("r-xp ") && (from..to).contains(&address)).then_some((from, to - from))
}

/// Start and length of the mapping in a line, where it is the program's first segment, right before the code: headers,
/// relocations and constants. What is relocated can be read alone as well, and lies behind the code.
#[cfg(target_env = "gnu")]
fn constants_before(code: usize, line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
    // The offset in the file is that of its header.
    (words.next()? == "r--p" && words.next()? == "00000000" && to == code).then_some((from, to - from))
}

/// Other allocators are left as they are.
#[cfg(not(target_env = "gnu"))]
pub fn keep_small() {}

/// Other allocators are left as they are.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_mapping_of_code_around_an_address_is_meant() {
        let line =
            |rights: &str| format!("55d0a000-55d0c000 {rights} 0000a000 fe:00 123   /usr/bin/svm-agent");
        assert_eq!(code_around(0x55d0_b123, &line("r-xp")), Some((0x55d0_a000, 0x2000)));
        assert_eq!(code_around(0x55d0_c000, &line("r-xp")), None);
        for rights in ["r--p", "rw-p", "rwxp", "r-xs", "---p"] {
            assert_eq!(code_around(0x55d0_b123, &line(rights)), None, "{rights}");
        }
        assert_eq!(code_around(1, "no mapping"), None);
    }

    #[test]
    fn only_the_segment_before_the_code_is_meant_besides() {
        let line = |rest: &str| format!("55d00000-55d0a000 {rest} fe:00 123   /usr/bin/svm-agent");
        assert_eq!(constants_before(0x55d0_a000, &line("r--p 00000000")), Some((0x55d0_0000, 0xa000)));
        assert_eq!(constants_before(0x55d0_b000, &line("r--p 00000000")), None);
        for relocated in ["r--p 0000a000", "rw-p 00000000", "r-xp 00000000", "r--s 00000000"] {
            assert_eq!(constants_before(0x55d0_a000, &line(relocated)), None, "{relocated}");
        }
        assert_eq!(constants_before(1, "no mapping"), None);
    }

    #[test]
    fn the_program_goes_on_after_its_code_was_given_back() {
        let before: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        give_back();
        assert_eq!(before, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}
