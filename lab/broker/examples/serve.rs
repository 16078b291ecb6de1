//! The broker by itself, to try a client against: `cargo run -p broker --example serve [ADDRESS]`.

use std::error::Error;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:5672".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("amqp://guest:guest@{}/%2f", listener.local_addr()?);
    let shutdown = CancellationToken::new();
    let on_ctrl_c = shutdown.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_ctrl_c.cancel();
        }
    });
    broker::run(listener, broker::Config::default(), shutdown).await?;
    Ok(())
}
