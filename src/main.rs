//! The `nass` command: everything happens in the library's `cli` room.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    nass::cli::main()
}
