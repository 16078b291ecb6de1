//! The path of an order through the shop, read from top to bottom.
//!
//! Each step is a span: it has a name, and its fields are its attributes. The error of a step is on its
//! span, and in the status of the spans of the steps above: [`step`] records both. The context that connects
//! the steps, here and in the called services, crosses at the boundaries.

use std::{collections::BTreeMap, time::Duration};

use api::{
    Card, CartLine, CheckoutRequest, OrderLine, OrderPlaced, OrderReply, OrderStatus, Price, Prices,
};
use telemetry::step;
use tracing::{Span, field::Empty, info_span};
use uuid::Uuid;

use crate::{
    carts, discount,
    error::{Aftermath, Failed, OrderError},
    faulty,
    orders::{self, Amount, Idempotency, Order},
    outbox::Outbox,
    shop::Shop,
};

/// The time of a call to the fraud service. There is no such service: the time is simulated.
const FRAUD_CHECK: Duration = Duration::from_millis(20);

/// Turns a cart into an order that is paid, reserved and announced.
///
/// # Errors
///
/// When the order cannot be completed. Its charge and its reservation are undone, or will be:
/// [`OrderError::Unresolved`].
pub(crate) async fn process_order(
    shop: &Shop,
    request: CheckoutRequest,
    idempotency: Idempotency,
) -> Result<OrderReply, Failed> {
    let span = info_span!(
        "process_order",
        order.id = Empty,
        order.item_count = Empty,
        order.discount_applied = Empty,
    );
    step(span, async {
        let lines = fetch_items(shop, &request.cart_id).await?;
        let percent_off = match &request.coupon {
            Some(code) => apply_discount(shop, code).await?,
            None => 0,
        };
        let order = Order {
            id: Uuid::new_v4().to_string(),
            email: request.email,
            lines,
            percent_off,
        };
        Span::current()
            .record("order.id", &order.id)
            .record("order.item_count", order.item_count())
            .record("order.discount_applied", percent_off > 0);

        faulty::flood(shop.faults, &order);

        let _held = shop.in_hand.try_claim(&order.id);
        if !orders::insert_pending(&shop.db, &order, &idempotency).await? {
            return Err(OrderError::InProgress.into());
        }
        let priced = match validate_cart(shop, &order.lines, percent_off).await {
            Ok(priced) => priced,
            Err(failed) => return fail(shop, &order, failed).await,
        };
        match charge_and_fulfill(shop, &order, priced, request.card).await {
            Ok(reply) => Ok(reply),
            Err(failed) => give_up(shop, &order, failed).await,
        }
    })
    .await
}

/// Reads the lines of the cart.
async fn fetch_items(shop: &Shop, cart_id: &str) -> Result<Vec<CartLine>, Failed> {
    step(info_span!("fetch_items"), async {
        let lines = carts::lines(&shop.db, cart_id).await?;
        if lines.is_empty() {
            let cart_id = cart_id.to_owned();
            return Err(OrderError::EmptyCart { cart_id }.into());
        }
        Ok(lines)
    })
    .await
}

/// Reads the discount of the coupon, in percent.
async fn apply_discount(shop: &Shop, code: &str) -> Result<i64, Failed> {
    step(info_span!("apply_discount"), async {
        Ok(discount::percent_off(&shop.db, code).await?)
    })
    .await
}

/// Asks inventory for the price and the stock of each line: both at once, because neither needs the result
/// of the other.
async fn validate_cart(
    shop: &Shop,
    lines: &[CartLine],
    percent_off: i64,
) -> Result<Priced, Failed> {
    step(info_span!("validate cart"), async {
        let quantities = quantities(lines);
        let skus: Vec<&str> = quantities.keys().copied().collect();
        let prices = shop.inventory.prices(&skus);
        let stock = shop.inventory.stock(&skus);
        let (prices, stock) = match shop.faults.acts(&faults::SEQUENTIAL_CALLS) {
            None => tokio::try_join!(prices, stock)?,
            Some(_) => (prices.await?, stock.await?),
        };

        let missing: Vec<String> = stock
            .stock
            .iter()
            .filter(|level| quantities.get(level.sku.as_str()).copied() > Some(level.available))
            .map(|level| level.sku.clone())
            .collect();
        if !missing.is_empty() {
            return Err(OrderError::OutOfStock { skus: missing }.into());
        }
        Ok(Priced::new(lines, &prices, percent_off)?)
    })
    .await
}

/// From here on a failure has something to undo.
async fn charge_and_fulfill(
    shop: &Shop,
    order: &Order,
    priced: Priced,
    card: Card,
) -> Result<OrderReply, Failed> {
    step(info_span!("charge_and_fulfill"), async {
        charge_payment(shop, order, priced.amount, card).await?;
        let reserved = update_inventory(shop.clone(), order.clone());
        faulty::reserve(shop.faults, reserved).await?;
        send_email(shop, order, priced).await
    })
    .await
}

async fn charge_payment(
    shop: &Shop,
    order: &Order,
    amount: Amount,
    card: Card,
) -> Result<(), Failed> {
    step(info_span!("charge payment"), async {
        fraud_check(shop).await;
        let patience = faulty::patience(shop.faults);
        let charge = shop
            .payment
            .charge(&order.id, amount.total_cents, card, patience);
        Ok(faulty::call(shop.faults, charge).await?)
    })
    .await
}

#[tracing::instrument(name = "fraud check", skip_all)]
async fn fraud_check(shop: &Shop) {
    shop.pace.step(FRAUD_CHECK).await;
}

pub(crate) async fn update_inventory(shop: Shop, order: Order) -> Result<(), Failed> {
    step(info_span!("update inventory", order.id = order.id), async {
        Ok(shop.inventory.reserve(&order.id, &order.lines).await?)
    })
    .await
}

/// Completes the order and writes the message that asks for the confirmation, in one transaction; then sends
/// it. The order is complete even if the broker is away: the outbox keeps the message until it can be sent.
pub(crate) async fn send_email(
    shop: &Shop,
    order: &Order,
    priced: Priced,
) -> Result<OrderReply, Failed> {
    step(info_span!("send email"), async {
        let message = OrderPlaced {
            message_id: Uuid::new_v4().to_string(),
            order_id: order.id.clone(),
            email: order.email.clone(),
            lines: priced.lines,
            total_cents: priced.amount.total_cents,
            discount_cents: priced.amount.discount_cents,
        };
        let letter = Outbox::letter(&message);
        let held = shop.outbox.hold(&letter);
        let mut transaction = shop.db.begin().await?;
        let completed = orders::complete(
            &shop.db,
            &mut transaction,
            &order.id,
            priced.amount,
            &message.message_id,
        )
        .await?;
        if !completed {
            return Err(OrderError::InProgress.into());
        }
        Outbox::write(&shop.db, &mut transaction, &letter).await?;
        shop.db.commit(transaction).await?;

        faulty::send(shop.faults, shop.outbox.send(&letter)).await;
        drop(held);
        Ok(OrderReply {
            order_id: order.id.clone(),
            status: OrderStatus::Completed,
            total_cents: message.total_cents,
            discount_cents: message.discount_cents,
            item_count: order.item_count(),
            message_id: Some(message.message_id),
            failure: None,
        })
    })
    .await
}

/// Ends an order for which nothing was charged and nothing reserved.
async fn fail(shop: &Shop, order: &Order, failed: Failed) -> Result<OrderReply, Failed> {
    orders::fail(&shop.db, &order.id, failed.error().kind()).await?;
    Err(failed)
}

/// Ends an order that cannot be completed. A possible charge or reservation is undone first; if that fails,
/// the order stays pending, and recovery undoes it later.
async fn give_up(shop: &Shop, order: &Order, failed: Failed) -> Result<OrderReply, Failed> {
    let undone = match failed.error().aftermath() {
        Aftermath::Nothing => true,
        Aftermath::Undo => undo(shop, order).await.is_ok(),
        Aftermath::Unknown => false,
    };
    if undone {
        return fail(shop, order, failed).await;
    }
    Err(failed.map(|cause| OrderError::Unresolved {
        order_id: order.id.clone(),
        cause: Box::new(cause),
    }))
}

/// Voids the charge and releases the stock of an order, if they exist.
pub(crate) async fn undo(shop: &Shop, order: &Order) -> Result<(), Failed> {
    step(info_span!("undo order"), async {
        tokio::try_join!(
            shop.payment.void(&order.id),
            shop.inventory.release(&order.id)
        )?;
        Ok(())
    })
    .await
}

/// The quantity of each SKU: lines of the same SKU are added up.
pub(crate) fn quantities(lines: &[CartLine]) -> BTreeMap<&str, i64> {
    let mut quantities = BTreeMap::new();
    for line in lines {
        *quantities.entry(line.sku.as_str()).or_insert(0) += i64::from(line.quantity);
    }
    quantities
}

/// The lines of an order with names and prices.
#[derive(Debug)]
pub(crate) struct Priced {
    lines: Vec<OrderLine>,
    amount: Amount,
}

// === impl Priced ===

impl Priced {
    pub(crate) fn new(
        lines: &[CartLine],
        prices: &Prices,
        percent_off: i64,
    ) -> Result<Self, OrderError> {
        let by_sku: BTreeMap<&str, &Price> = prices
            .prices
            .iter()
            .map(|price| (price.sku.as_str(), price))
            .collect();
        let price_line = |line: &CartLine| {
            let price = by_sku.get(line.sku.as_str())?;
            Some(OrderLine {
                sku: line.sku.clone(),
                name: price.name.clone(),
                quantity: line.quantity,
                price_cents: price.price_cents,
            })
        };
        let lines: Option<Vec<OrderLine>> = lines.iter().map(price_line).collect();
        let lines = lines.ok_or_else(|| OrderError::Inventory {
            why: "its reply lacks a price".to_owned(),
        })?;

        let full: i64 = lines
            .iter()
            .map(|line| i64::from(line.quantity) * line.price_cents)
            .sum();
        let discount_cents = full * percent_off / 100;
        let amount = Amount {
            total_cents: full - discount_cents,
            discount_cents,
        };
        Ok(Priced { lines, amount })
    }
}
