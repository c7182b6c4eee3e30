//! The `nass` command: everything happens in the library's `cli` room.

fn main() -> std::process::ExitCode {
    nass::cli::main()
}
