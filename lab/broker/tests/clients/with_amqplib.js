// What a user of amqplib for Node.js does with a broker, each thing with what must come of it.
//
// usage: with_amqplib.js URL all     on a broker that holds nothing yet
//        with_amqplib.js URL put     leave messages that must outlive the broker
//        with_amqplib.js URL find    find them again

const amqp = require('amqplib')
const { deepStrictEqual: same, ok } = require('node:assert')
const { setTimeout: pause } = require('node:timers/promises')

const PATIENCE_MS = 30_000

async function main(url, what) {
  const all = [
    topology, confirmsAndReturns, everyPropertyAndField, largeMessages, prefetch, acknowledgements,
    deadLetters, timeToLive, getPurgeAndDelete, whatIsNotThere, heartbeats,
  ]
  const steps = { all, put: [put], find: [find] }[what]
  const connection = await amqp.connect(url)
  for (const step of steps) {
    console.log(step.name)
    const channel = await connection.createConfirmChannel()
    await step(channel, connection, url)
    await channel.close()
  }
  await connection.close()
}

// === Steps ===

async function topology(channel) {
  await channel.assertExchange('shop', 'topic', { durable: true })
  await channel.assertExchange('dead', 'fanout', { durable: true })
  await channel.assertQueue('buried', { durable: true })
  await channel.bindQueue('buried', 'dead', '')
  const options = { durable: true, deadLetterExchange: 'dead', maxLength: 1000 }
  same(await channel.assertQueue('orders', options), {
    queue: 'orders', messageCount: 0, consumerCount: 0,
  })
  await channel.bindQueue('orders', 'shop', 'order.*')
  // Again, and the same: nothing changes.
  await channel.assertQueue('orders', options)
  const { queue } = await channel.assertQueue('', { exclusive: true })
  ok(queue.startsWith('amq.gen'), queue)
}

async function confirmsAndReturns(channel) {
  const returned = []
  channel.on('return', message => returned.push(message))
  const options = { persistent: true, mandatory: true }
  channel.publish('shop', 'order.placed', Buffer.from('1'), options)
  channel.publish('shop', 'payment.made', Buffer.from('2'), options)
  await channel.waitForConfirms()
  same(returned.map(it => [it.fields.replyCode, it.fields.replyText, it.fields.routingKey, text(it)]),
    [[312, 'NO_ROUTE', 'payment.made', '2']])
  const message = await channel.get('orders', { noAck: true })
  same([message.fields.exchange, message.fields.routingKey, text(message)], ['shop', 'order.placed', '1'])
  same([message.properties.deliveryMode, message.fields.redelivered], [2, false])
}

async function everyPropertyAndField(channel) {
  const typed = (type, value) => ({ '!': type, value })
  // What is written, and what it is read as.
  const fields = {
    ascii: ['traceparent'],
    unicode: ['Grüße, 世界 🦀'],
    schlüssel: ['a name that is not ASCII'],
    int8: [typed('int8', -8), -8],
    uint8: [typed('uint8', 200), 200],
    int16: [typed('int16', -3000), -3000],
    uint16: [typed('uint16', 60000), 60000],
    int32: [typed('int32', -70000), -70000],
    uint32: [typed('uint32', 4_000_000_000), 4_000_000_000],
    int64: [typed('int64', 2 ** 40), 2 ** 40],
    float: [typed('float', 0.5), 0.5],
    double: [0.1],
    true: [true],
    false: [false],
    nothing: [null],
    decimal: [typed('decimal', { places: 2, digits: 314 })],
    timestamp: [typed('timestamp', 1_764_000_000)],
    octets: [Buffer.from([0, 255, 206])],
    table: [{ inner: { innermost: 'x' }, n: 5 }],
    list: [[1, 'zwei', { drei: 3 }, [4]]],
    empty: [{}],
  }
  const each = pick => Object.fromEntries(Object.entries(fields).map(([name, it]) => [name, pick(it)]))
  const properties = {
    contentType: 'application/json', contentEncoding: 'identity', deliveryMode: 2, priority: 5,
    correlationId: 'c-1', replyTo: 'answers', expiration: '3600000', messageId: 'm-1',
    timestamp: 1_764_000_000, type: 'order', userId: 'guest', appId: 'shop',
  }
  await channel.assertQueue('fields')
  channel.sendToQueue('fields', Buffer.from('{}'), { ...properties, headers: each(it => it[0]) })
  const message = await arrives(channel, 'fields')
  const { headers, clusterId, ...found } = message.properties
  same(plain(headers), plain(each(it => it.at(-1))))
  same([found, clusterId], [properties, undefined])
}

async function largeMessages(channel) {
  await channel.assertQueue('large')
  for (const size of [0, 131_064, 131_065, 1 << 20]) {
    const sent = Buffer.from(Uint8Array.from({ length: size }, (_, n) => n % 251))
    channel.sendToQueue('large', sent)
    const message = await arrives(channel, 'large')
    ok(message.content.equals(sent), `a body of ${size} octets came out as one of ${message.content.length}`)
  }
}

async function prefetch(channel) {
  await channel.assertQueue('windowed')
  for (let n = 0; n < 5; n++) channel.sendToQueue('windowed', Buffer.from(String(n)))
  await channel.waitForConfirms()
  await channel.prefetch(2)
  const got = []
  const { consumerTag } = await channel.consume('windowed', message => got.push(message))
  await eventually('two deliveries', () => got.length === 2)
  await waits(channel, 'windowed', 3)
  same(got.length, 2)
  channel.ack(got[1], true)
  await eventually('four deliveries', () => got.length === 4)
  channel.ack(got[3], true)
  await eventually('five deliveries', () => got.length === 5)
  same(got.map(text), ['0', '1', '2', '3', '4'])
  await channel.cancel(consumerTag)
  // What was delivered may still be acknowledged after that, and nothing more comes.
  channel.ack(got[4])
  channel.sendToQueue('windowed', Buffer.from('later'))
  await waits(channel, 'windowed', 1)
  same(got.length, 5)
}

async function acknowledgements(channel) {
  await channel.assertQueue('work')
  for (let n = 0; n < 3; n++) channel.sendToQueue('work', Buffer.from(String(n)))
  await channel.waitForConfirms()
  const messages = [await channel.get('work'), await channel.get('work'), await channel.get('work')]
  channel.nack(messages[0], false, true)
  channel.reject(messages[1], true)
  channel.ack(messages[2])
  for (const expected of ['0', '1']) {
    const message = await channel.get('work', { noAck: true })
    same([message.fields.redelivered, text(message)], [true, expected])
  }
  same(await channel.get('work'), false)
}

async function deadLetters(channel) {
  channel.publish('shop', 'order.placed', Buffer.from('bad'), { headers: { a: 1 } })
  channel.nack(await arrives(channel, 'orders', {}), false, false)
  const message = await arrives(channel, 'buried')
  same([message.fields.exchange, message.fields.routingKey, text(message)], ['dead', 'order.placed', 'bad'])
  const { headers } = message.properties
  const [{ time, ...death }, ...more] = headers['x-death']
  same([more, time['!']], [[], 'timestamp'])
  same({ ...death }, {
    count: 1, reason: 'rejected', queue: 'orders', exchange: 'shop', 'routing-keys': ['order.placed'],
  })
  same([headers['x-first-death-queue'], headers.a], ['orders', 1])
}

async function timeToLive(channel) {
  await channel.assertQueue('fleeting', { messageTtl: 40, deadLetterExchange: 'dead' })
  channel.sendToQueue('fleeting', Buffer.from("by the queue's time"))
  let message = await arrives(channel, 'buried')
  same([text(message), message.properties.headers['x-death'][0].reason], ["by the queue's time", 'expired'])
  channel.publish('shop', 'order.placed', Buffer.from('by its own time'), { expiration: 30 })
  message = await arrives(channel, 'buried')
  same([text(message), message.properties.headers['x-death'][0]['original-expiration']], ['by its own time', '30'])
  same(message.properties.expiration, undefined)
}

async function getPurgeAndDelete(channel) {
  await channel.assertQueue('full')
  for (let n = 0; n < 3; n++) channel.sendToQueue('full', Buffer.from(String(n)))
  await channel.waitForConfirms()
  same((await channel.get('full', { noAck: true })).fields.messageCount, 2)
  same(await channel.purgeQueue('full'), { messageCount: 2 })
  await channel.unbindQueue('orders', 'shop', 'order.*')
  const returned = []
  channel.on('return', message => returned.push(message))
  channel.publish('shop', 'order.placed', Buffer.from(''), { mandatory: true })
  await channel.waitForConfirms()
  same(returned.length, 1)
  same(await channel.deleteQueue('full'), { messageCount: 0 })
  await channel.deleteExchange('shop')
}

async function whatIsNotThere(_, connection) {
  for (const [code, ask] of [
    [404, channel => channel.checkQueue('full')],
    [404, channel => channel.checkExchange('shop')],
    [406, channel => channel.assertQueue('orders', { durable: false })],
    [403, channel => channel.assertQueue('amq.mine')],
  ]) {
    const channel = await connection.createChannel()
    const closed = new Promise(resolve => channel.on('error', resolve))
    await ask(channel).then(() => ok(false, `${code} was expected`), () => {})
    same((await closed).code, code)
  }
  const channel = await connection.createChannel()
  same((await channel.checkQueue('orders')).queue, 'orders')
  await channel.close()
}

async function heartbeats(_, __, url) {
  const connection = await amqp.connect(`${url}?heartbeat=1`)
  const lost = new Promise((_, reject) => connection.on('error', reject))
  // Longer than either side waits for the other: only heartbeats keep it.
  await Promise.race([pause(4000), lost])
  const channel = await connection.createChannel()
  await channel.checkQueue('orders')
  await connection.close()
}

async function put(channel) {
  await channel.assertQueue('kept', { durable: true })
  for (let n = 0; n < 100; n++) channel.sendToQueue('kept', Buffer.from(String(n)), { persistent: true })
  await channel.waitForConfirms()
}

async function find(channel) {
  for (let n = 0; n < 100; n++) {
    const message = await channel.get('kept', { noAck: true })
    ok(message, `only ${n} messages are there`)
    same([text(message), message.properties.deliveryMode], [String(n), 2])
  }
  same(await channel.get('kept'), false)
}

// === Expectations ===

const text = message => message.content.toString()

// Without prototypes, which differ between what is written and what is read.
const plain = value => JSON.parse(JSON.stringify(value))

async function eventually(what, ask) {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    ok(Date.now() < deadline, `${what} has not come to be`)
    await pause(10)
  }
}

const waits = (channel, queue, count) =>
  eventually(`${count} messages in ${queue}`,
    async () => (await channel.checkQueue(queue)).messageCount === count)

const arrives = (channel, queue, options = { noAck: true }) =>
  eventually(`a message in ${queue}`, () => channel.get(queue, options))

main(...process.argv.slice(2)).catch(error => {
  console.error(error)
  process.exit(1)
})
