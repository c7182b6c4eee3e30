//! Where the token of two parties comes from: the command line, a file, the environment, or chance.
//!
//! What stands on the command line is seen by everybody who lists the processes of the machine; a file or the
//! environment keeps it from them.

use std::path::{Path, PathBuf};

use super::error::Failure;
use super::globals::Globals;
use super::inputs;
use crate::verify::Token;

/// The environment variable that may hold it.
pub(super) const VARIABLE: &str = "NASS_TOKEN";

/// The token's flags.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    /// What the client shows the server: 32 hexadecimal digits. Other users of the machine can read a command
    /// line; better is --token-file, or NASS_TOKEN in the environment [default for the server: drawn and printed]
    #[arg(long, value_name = "HEX", conflicts_with = "token_file")]
    token: Option<Token>,
    /// A file that holds the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The server's token.
pub(super) enum ServerToken {
    /// Its client was given it as the server was.
    Given(Token),
    /// It has to be told.
    Drawn(Token),
}

impl TokenArgs {
    /// Refuses the flags where no token is needed; `why` follows the flag's name.
    pub(super) fn refuse(&self, why: &str) -> Result<(), Failure> {
        let flag = match (&self.token, &self.token_file) {
            (Some(_), _) => "--token",
            (None, Some(_)) => "--token-file",
            (None, None) => return Ok(()),
        };
        Err(Failure::unusable(format_args!("{flag}: {why}")))
    }

    /// The server's.
    pub(super) fn of_server(&self, globals: &Globals) -> Result<ServerToken, Failure> {
        Ok(match self.given()? {
            Some(token) => ServerToken::Given(token),
            None => ServerToken::Drawn(Token::random(&mut globals.rng()?)),
        })
    }

    /// The client's; `who` is in need of it.
    pub(super) fn of_client(&self, who: &str) -> Result<Token, Failure> {
        let need = "needs the server's token: --token-file, NASS_TOKEN or --token";
        let missing = || Failure::unusable(format_args!("{who} {need}"));
        self.given()?.ok_or_else(missing)
    }

    /// By a flag, or else by the environment.
    fn given(&self) -> Result<Option<Token>, Failure> {
        if let Some(token) = &self.token {
            return Ok(Some(token.clone()));
        }
        if let Some(path) = &self.token_file {
            return from_file(path).map(Some);
        }
        let Some(text) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        read(&text.to_string_lossy(), VARIABLE).map(Some)
    }
}

fn from_file(path: &Path) -> Result<Token, Failure> {
    let text = zeroize::Zeroizing::new(inputs::text(path)?);
    read(text.trim(), &path.display().to_string())
}

/// The text itself is a secret, and stays out of the message.
fn read(text: &str, from: &str) -> Result<Token, Failure> {
    let refused = |expected| Failure::unusable(format_args!("{from}: {expected}"));
    text.parse().map_err(refused)
}
