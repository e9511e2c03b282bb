//! The allocator, told to be small: the agent works for moments and sleeps for hours.

/// Makes glibc's allocator give memory back. Called first thing by the agent, before there are threads.
///
/// One arena for all threads, and what is freed at the top of the heap or in a block of 64 KiB or more goes back
/// to the system at once (`mallopt(3)`). Measured by `cargo bench --bench footprint`: a fifth less memory after
/// work, and no difference in speed.
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

/// Gives free memory inside the heap back too (`malloc_trim(3)`); for when work is over for a while.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    #[expect(unsafe_code, reason = "malloc_trim has no safe form")]
    // SAFETY: it takes no memory of ours, only what is free, under the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators are left as they are.
#[cfg(not(target_env = "gnu"))]
pub fn keep_small() {}

/// Other allocators are left as they are.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
