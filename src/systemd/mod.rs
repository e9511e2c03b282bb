//! systemd, as the agent asks it.

pub mod systemctl;
