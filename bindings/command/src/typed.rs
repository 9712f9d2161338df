//! Lines that are typed at a WebSocket: messages, and commands that begin with a slash.

/// What a line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order<'a> {
    /// Send this.
    Send(&'a str),
    Ping(&'a str),
    Pong(&'a str),
    Close(Option<u16>, &'a str),
    /// Who is connected; for servers.
    List,
    Help,
    Nothing,
}

/// What a line means where commands are understood. Two slashes stand for one, at the beginning of a message.
pub(crate) fn order(line: &str) -> Result<Order<'_>, String> {
    let Some(command) = line.strip_prefix('/') else {
        return Ok(match line {
            "" => Order::Nothing,
            _ => Order::Send(line),
        });
    };
    if command.starts_with('/') {
        return Ok(Order::Send(command));
    }
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    match name {
        "ping" => Ok(Order::Ping(rest)),
        "pong" => Ok(Order::Pong(rest)),
        "close" => close(rest),
        "list" => Ok(Order::List),
        "help" | "?" => Ok(Order::Help),
        _ => Err(format!(
            "there is no command /{}; /help lists them, //{} sends it",
            crate::show::text(name),
            crate::show::text(name)
        )),
    }
}

fn close(rest: &str) -> Result<Order<'_>, String> {
    let rest = rest.trim();
    if rest.is_empty() {
        return Ok(Order::Close(Some(1000), ""));
    }
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let code = code
        .parse()
        .map_err(|_| format!("/close [code] [reason]: {} is no code", crate::show::text(code)))?;
    Ok(Order::Close(Some(code), reason.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message_unless_it_begins_with_a_slash() {
        assert_eq!(order("hello /ping"), Ok(Order::Send("hello /ping")));
        assert_eq!(order(" /ping"), Ok(Order::Send(" /ping")));
        assert_eq!(order("//ping"), Ok(Order::Send("/ping")));
        assert_eq!(order(""), Ok(Order::Nothing));
    }

    #[test]
    fn commands_have_what_follows_them() {
        assert_eq!(order("/ping"), Ok(Order::Ping("")));
        assert_eq!(order("/ping a b"), Ok(Order::Ping("a b")));
        assert_eq!(order("/close"), Ok(Order::Close(Some(1000), "")));
        assert_eq!(
            order("/close 4000 good bye"),
            Ok(Order::Close(Some(4000), "good bye"))
        );
        assert!(order("/close bye").is_err());
        assert!(order("/nonsense").is_err());
    }
}
