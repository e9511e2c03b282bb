//! A question to a task or a thread, and its answer.

use tokio::sync::{mpsc, oneshot};

/// Sends the message that `message` makes of the place for the answer, and waits for the answer; `None` where the task
/// ended before it answered.
pub async fn ask<M, A>(task: &mpsc::Sender<M>, message: impl FnOnce(oneshot::Sender<A>) -> M) -> Option<A> {
    let (reply, answer) = oneshot::channel();
    task.send(message(reply)).await.ok()?;
    answer.await.ok()
}

/// As [`ask`], of a thread.
pub async fn ask_thread<M, A>(
    thread: &std::sync::mpsc::Sender<M>,
    message: impl FnOnce(oneshot::Sender<A>) -> M,
) -> Option<A> {
    let (reply, answer) = oneshot::channel();
    thread.send(message(reply)).ok()?;
    answer.await.ok()
}
