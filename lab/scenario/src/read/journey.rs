//! `journey:` and `journeys:`: what users do.

use super::{
    fields::{Fields, Words},
    scalars::Doc,
};
use crate::{
    Error, Journey, OrderJourney, Request, Weighted,
    yaml::{Data, Node},
};

pub(super) const JOURNEY: Words = Words {
    known: &["cart-lines", "skus", "coupon", "requests"],
    later: &[],
};
pub(super) const WEIGHTED: Words = Words {
    known: &["weight", "cart-lines", "skus", "coupon", "requests"],
    later: &[],
};
pub(super) const REQUEST: Words = Words {
    known: &["method", "path", "headers", "body"],
    later: &[],
};

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

/// The most lines that a cart may have.
const MOST_LINES: i64 = 200;

impl Default for OrderJourney {
    fn default() -> Self {
        OrderJourney {
            cart_lines: 1,
            skus: Vec::new(),
            coupon: false,
        }
    }
}

impl Default for Weighted {
    fn default() -> Self {
        Weighted {
            weight: 1,
            journey: Journey::Order(OrderJourney::default()),
        }
    }
}

pub(super) fn journey(doc: &Doc<'_>, node: &Node) -> Result<Journey, Error> {
    of_fields(doc, &Fields::of(doc, node, "a journey", &JOURNEY)?)
}

pub(super) fn journeys(doc: &Doc<'_>, node: &Node) -> Result<Vec<Weighted>, Error> {
    let items = doc.list(node)?;
    if items.is_empty() {
        return Err(doc.error(node.at, "there is no journey"));
    }
    let weighted = |item| {
        let fields = Fields::of(doc, item, "a journey", &WEIGHTED)?;
        Ok(Weighted {
            weight: fields
                .map("weight", |node| doc.integer(node, 1..=1_000_000))?
                .unwrap_or(1),
            journey: of_fields(doc, &fields)?,
        })
    };
    items.iter().map(weighted).collect()
}

fn of_fields(doc: &Doc<'_>, fields: &Fields<'_>) -> Result<Journey, Error> {
    if let Some(node) = fields.get("requests") {
        for other in ["cart-lines", "skus", "coupon"] {
            if let Some(node) = fields.get(other) {
                let message = format!("{other:?} is of an order, and requests are given");
                return Err(doc.error(node.at, message));
            }
        }
        let requests = doc.list(node)?;
        if requests.is_empty() {
            return Err(doc.error(node.at, "there is no request"));
        }
        let requests = requests.iter().map(|item| request(doc, item));
        return Ok(Journey::Requests(requests.collect::<Result<_, _>>()?));
    }
    if let (Some(_), Some(node)) = (fields.get("cart-lines"), fields.get("skus")) {
        return Err(doc
            .error(node.at, "the number of lines is that of the skus")
            .with_hint("leave cart-lines out"));
    }
    let usual = OrderJourney::default();
    let skus: Vec<String> = fields
        .map("skus", |node| {
            let names = doc.list(node)?.iter();
            names
                .map(|item| doc.text(item).map(str::to_owned))
                .collect()
        })?
        .unwrap_or_default();
    Ok(Journey::Order(OrderJourney {
        cart_lines: match skus.len() {
            0 => fields
                .map("cart-lines", |node| doc.integer(node, 1..=MOST_LINES))?
                .unwrap_or(usual.cart_lines),
            lines => u32::try_from(lines).unwrap_or(u32::MAX),
        },
        skus,
        coupon: fields
            .map("coupon", |node| doc.boolean(node))?
            .unwrap_or(usual.coupon),
    }))
}

fn request(doc: &Doc<'_>, node: &Node) -> Result<Request, Error> {
    let fields = Fields::of(doc, node, "a request", &REQUEST)?;
    let path = fields.require(doc, "path")?;
    let path_text = doc.text(path)?;
    if !path_text.starts_with('/') {
        return Err(doc.wanted(path, "a path that begins with a slash"));
    }
    let methods = METHODS.map(|method| (method, method));
    let header = |(key, value): &(crate::yaml::Key, Node)| {
        Ok((key.text.clone(), doc.text(value)?.to_owned()))
    };
    Ok(Request {
        method: fields
            .map("method", |node| doc.word(node, "method", &methods))?
            .unwrap_or("GET")
            .to_owned(),
        path: path_text.to_owned(),
        headers: fields
            .map("headers", |node| match &node.data {
                Data::Map(pairs) => pairs.iter().map(header).collect(),
                _ => Err(doc.wanted(node, "a map of header fields")),
            })?
            .unwrap_or_default(),
        body: fields.map("body", |node| Ok(body(node)))?,
    })
}

/// A text as it stands; anything else as JSON.
fn body(node: &Node) -> String {
    match &node.data {
        Data::Text(text, _) => text.clone(),
        _ => json(node),
    }
}

fn json(node: &Node) -> String {
    let quoted = |text: &str| format!("{text:?}");
    match &node.data {
        Data::Null => "null".to_owned(),
        Data::Bool(truth) => truth.to_string(),
        Data::Int(number) => number.to_string(),
        Data::Double(number) => number.to_string(),
        Data::Text(text, _) => quoted(text),
        Data::List(items) => {
            let items: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(","))
        }
        Data::Map(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{}:{}", quoted(&key.text), json(value)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}
