import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;

/**
 * What a user of RabbitMQ's Java client does with a broker, each thing with what must come of it.
 *
 * <p>usage: java -cp 'JARS/*' WithJava.java URL all|put|find: all on a broker that holds nothing yet;
 * put leaves messages that must outlive the broker, find finds them again.
 */
public class WithJava {
  static final long PATIENCE_MS = 30_000;

  interface Step {
    void run(Channel channel) throws Exception;
  }

  public static void main(String[] arguments) throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUri(arguments[0]);
    factory.setAutomaticRecoveryEnabled(false);
    Map<String, Step> steps = new java.util.LinkedHashMap<>();
    switch (arguments[1]) {
      case "all" -> {
        steps.put("topology", WithJava::topology);
        steps.put("confirms and returns", WithJava::confirmsAndReturns);
        steps.put("every property and field", WithJava::everyPropertyAndField);
        steps.put("large messages", WithJava::largeMessages);
        steps.put("prefetch", WithJava::prefetch);
        steps.put("acknowledgements", WithJava::acknowledgements);
        steps.put("dead letters", WithJava::deadLetters);
        steps.put("time to live", WithJava::timeToLive);
        steps.put("get, purge and delete", WithJava::getPurgeAndDelete);
        steps.put("what is not there", WithJava::whatIsNotThere);
        steps.put("heartbeats", channel -> heartbeats(factory));
      }
      case "put" -> steps.put("put", WithJava::put);
      case "find" -> steps.put("find", WithJava::find);
      default -> throw new IllegalArgumentException(arguments[1]);
    }
    try (Connection connection = factory.newConnection()) {
      for (Map.Entry<String, Step> step : steps.entrySet()) {
        System.out.println(step.getKey());
        try (Channel channel = connection.createChannel()) {
          step.getValue().run(channel);
        }
      }
    }
  }

  // === Steps ===

  static void topology(Channel channel) throws Exception {
    channel.exchangeDeclare("shop", "topic", true);
    channel.exchangeDeclare("dead", "fanout", true);
    channel.queueDeclare("buried", true, false, false, null);
    channel.queueBind("buried", "dead", "");
    Map<String, Object> options = Map.of("x-dead-letter-exchange", "dead", "x-max-length", 1000);
    same(channel.queueDeclare("orders", true, false, false, options).getQueue(), "orders");
    channel.queueBind("orders", "shop", "order.*");
    // Again, and the same: nothing changes.
    channel.queueDeclare("orders", true, false, false, options);
    String named = channel.queueDeclare().getQueue();
    same(named.startsWith("amq.gen"), true);
  }

  static void confirmsAndReturns(Channel channel) throws Exception {
    List<Object> returned = Collections.synchronizedList(new ArrayList<>());
    channel.addReturnListener(it -> returned.add(
        List.of(it.getReplyCode(), it.getReplyText(), it.getRoutingKey(), text(it.getBody()))));
    channel.confirmSelect();
    AMQP.BasicProperties persistent = MessageProperties.MINIMAL_PERSISTENT_BASIC;
    channel.basicPublish("shop", "order.placed", true, persistent, octets("1"));
    channel.basicPublish("shop", "payment.made", true, persistent, octets("2"));
    channel.waitForConfirmsOrDie(PATIENCE_MS);
    same(returned, List.of(List.of(312, "NO_ROUTE", "payment.made", "2")));
    GetResponse message = channel.basicGet("orders", true);
    same(message.getEnvelope().getExchange(), "shop");
    same(message.getEnvelope().getRoutingKey(), "order.placed");
    same(message.getEnvelope().isRedeliver(), false);
    same(message.getProps().getDeliveryMode(), 2);
    same(text(message.getBody()), "1");
  }

  static void everyPropertyAndField(Channel channel) throws Exception {
    Map<String, Object> headers = new HashMap<>();
    headers.put("ascii", "traceparent");
    headers.put("unicode", "Grüße, 世界 🦀");
    headers.put("schlüssel", "a name that is not ASCII");
    headers.put("byte", (byte) -8);
    headers.put("short", (short) -3000);
    headers.put("int", -70_000);
    headers.put("long", 1L << 40);
    headers.put("float", 0.5f);
    headers.put("double", 0.1);
    headers.put("true", true);
    headers.put("false", false);
    headers.put("nothing", null);
    headers.put("decimal", new BigDecimal("3.14"));
    headers.put("time", new Date(1_764_000_000_000L));
    headers.put("octets", new byte[] {0, -1, -50});
    headers.put("table", Map.of("inner", Map.of("innermost", "x"), "n", 5));
    headers.put("list", List.of(1, "zwei", Map.of("drei", 3), List.of(4)));
    headers.put("empty", Map.of());
    AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
        .contentType("application/json").contentEncoding("identity").headers(headers)
        .deliveryMode(2).priority(5).correlationId("c-1").replyTo("answers").expiration("3600000")
        .messageId("m-1").timestamp(new Date(1_764_000_000_000L)).type("order").userId("guest")
        .appId("shop").build();
    channel.queueDeclare("fields", false, false, false, null);
    channel.basicPublish("", "fields", properties, octets("{}"));
    AMQP.BasicProperties found = arrives(channel, "fields", true).getProps();
    same(plain(found.getHeaders()), plain(headers));
    same(found.builder().headers(null).build(), properties.builder().headers(null).build());
  }

  static void largeMessages(Channel channel) throws Exception {
    channel.queueDeclare("large", false, false, false, null);
    for (int size : new int[] {0, 131_064, 131_065, 1 << 20}) {
      byte[] sent = new byte[size];
      for (int n = 0; n < size; n++) {
        sent[n] = (byte) (n % 251);
      }
      channel.basicPublish("", "large", null, sent);
      byte[] found = arrives(channel, "large", true).getBody();
      if (!Arrays.equals(found, sent)) {
        throw new AssertionError("of " + size + " octets came out " + found.length);
      }
    }
  }

  static void prefetch(Channel channel) throws Exception {
    channel.queueDeclare("windowed", false, false, false, null);
    for (int n = 0; n < 5; n++) {
      channel.basicPublish("", "windowed", null, octets("" + n));
    }
    channel.basicQos(2);
    List<Delivery> got = Collections.synchronizedList(new ArrayList<>());
    String tag = channel.basicConsume("windowed", false, (it, delivery) -> got.add(delivery), it -> {});
    eventually("two deliveries", () -> got.size() == 2);
    waits(channel, "windowed", 3);
    same(got.size(), 2);
    channel.basicAck(tagOf(got.get(1)), true);
    eventually("four deliveries", () -> got.size() == 4);
    channel.basicAck(tagOf(got.get(3)), true);
    eventually("five deliveries", () -> got.size() == 5);
    same(got.stream().map(it -> text(it.getBody())).toList(), List.of("0", "1", "2", "3", "4"));
    channel.basicCancel(tag);
    // What was delivered may still be acknowledged after that, and nothing more comes.
    channel.basicAck(tagOf(got.get(4)), false);
    channel.basicPublish("", "windowed", null, octets("later"));
    waits(channel, "windowed", 1);
    same(got.size(), 5);
  }

  static void acknowledgements(Channel channel) throws Exception {
    channel.queueDeclare("work", false, false, false, null);
    List<Long> tags = new ArrayList<>();
    for (int n = 0; n < 3; n++) {
      channel.basicPublish("", "work", null, octets("" + n));
      tags.add(arrives(channel, "work", false).getEnvelope().getDeliveryTag());
    }
    channel.basicNack(tags.get(0), false, true);
    channel.basicReject(tags.get(1), true);
    channel.basicAck(tags.get(2), false);
    for (String expected : List.of("0", "1")) {
      GetResponse message = channel.basicGet("work", true);
      same(message.getEnvelope().isRedeliver(), true);
      same(text(message.getBody()), expected);
    }
    same(channel.basicGet("work", true), null);
  }

  static void deadLetters(Channel channel) throws Exception {
    AMQP.BasicProperties properties =
        new AMQP.BasicProperties.Builder().headers(Map.of("a", 1)).build();
    channel.basicPublish("shop", "order.placed", properties, octets("bad"));
    long tag = arrives(channel, "orders", false).getEnvelope().getDeliveryTag();
    channel.basicNack(tag, false, false);
    GetResponse dead = arrives(channel, "buried", true);
    same(dead.getEnvelope().getExchange(), "dead");
    same(dead.getEnvelope().getRoutingKey(), "order.placed");
    same(text(dead.getBody()), "bad");
    Map<String, Object> death = death(dead);
    same(death.remove("time") instanceof Date, true);
    same(plain(death), plain(Map.of("count", 1L, "reason", "rejected", "queue", "orders",
        "exchange", "shop", "routing-keys", List.of("order.placed"))));
    same(plain(dead.getProps().getHeaders().get("x-first-death-queue")), "orders");
    same(dead.getProps().getHeaders().get("a"), 1);
  }

  static void timeToLive(Channel channel) throws Exception {
    Map<String, Object> options = Map.of("x-message-ttl", 40, "x-dead-letter-exchange", "dead");
    channel.queueDeclare("fleeting", false, false, false, options);
    channel.basicPublish("", "fleeting", null, octets("by the queue's time"));
    GetResponse dead = arrives(channel, "buried", true);
    same(text(dead.getBody()), "by the queue's time");
    same(plain(death(dead).get("reason")), "expired");
    AMQP.BasicProperties fleeting = new AMQP.BasicProperties.Builder().expiration("30").build();
    channel.basicPublish("shop", "order.placed", fleeting, octets("by its own time"));
    dead = arrives(channel, "buried", true);
    same(text(dead.getBody()), "by its own time");
    same(plain(death(dead).get("original-expiration")), "30");
    same(dead.getProps().getExpiration(), null);
  }

  static void getPurgeAndDelete(Channel channel) throws Exception {
    channel.queueDeclare("full", false, false, false, null);
    for (int n = 0; n < 3; n++) {
      channel.basicPublish("", "full", null, octets("" + n));
    }
    waits(channel, "full", 3);
    same(channel.basicGet("full", true).getMessageCount(), 2);
    same(channel.queuePurge("full").getMessageCount(), 2);
    channel.queueUnbind("orders", "shop", "order.*");
    List<String> returned = Collections.synchronizedList(new ArrayList<>());
    channel.addReturnListener(it -> returned.add(it.getRoutingKey()));
    channel.confirmSelect();
    channel.basicPublish("shop", "order.placed", true, null, octets(""));
    channel.waitForConfirmsOrDie(PATIENCE_MS);
    same(returned, List.of("order.placed"));
    same(channel.queueDelete("full").getMessageCount(), 0);
    channel.exchangeDelete("shop");
  }

  static void whatIsNotThere(Channel channel) throws Exception {
    Connection connection = channel.getConnection();
    assertRefused(connection, 404, it -> it.queueDeclarePassive("full"));
    assertRefused(connection, 404, it -> it.exchangeDeclarePassive("shop"));
    assertRefused(connection, 406, it -> it.queueDeclare("orders", false, false, false, null));
    assertRefused(connection, 403, it -> it.queueDeclare("amq.mine", false, false, false, null));
    channel.queueDeclarePassive("orders");
  }

  static void heartbeats(ConnectionFactory factory) throws Exception {
    ConnectionFactory beating = factory.clone();
    beating.setRequestedHeartbeat(1);
    try (Connection connection = beating.newConnection()) {
      same(connection.getHeartbeat(), 1);
      // Longer than either side waits for the other: only heartbeats keep it.
      Thread.sleep(4000);
      connection.createChannel().queueDeclarePassive("orders");
    }
  }

  static void put(Channel channel) throws Exception {
    channel.confirmSelect();
    channel.queueDeclare("kept", true, false, false, null);
    for (int n = 0; n < 100; n++) {
      channel.basicPublish("", "kept", MessageProperties.MINIMAL_PERSISTENT_BASIC, octets("" + n));
    }
    channel.waitForConfirmsOrDie(PATIENCE_MS);
  }

  static void find(Channel channel) throws Exception {
    for (int n = 0; n < 100; n++) {
      GetResponse message = channel.basicGet("kept", true);
      same(message == null ? "nothing" : text(message.getBody()), "" + n);
      same(message.getProps().getDeliveryMode(), 2);
    }
    same(channel.basicGet("kept", true), null);
  }

  // === Expectations ===

  static void same(Object found, Object expected) {
    if (!Objects.equals(found, expected)) {
      throw new AssertionError("\nfound    " + found + "\nexpected " + expected);
    }
  }

  static void assertRefused(Connection connection, int code, Step ask) throws Exception {
    Channel channel = connection.createChannel();
    try {
      ask.run(channel);
    } catch (IOException | AlreadyClosedException error) {
      ShutdownSignalException why = channel.getCloseReason();
      same(why.isHardError(), false);
      same(((AMQP.Channel.Close) why.getReason()).getReplyCode(), code);
      return;
    }
    throw new AssertionError(code + " was expected");
  }

  static void eventually(String what, Callable<Boolean> ask) throws Exception {
    long deadline = System.currentTimeMillis() + PATIENCE_MS;
    while (!ask.call()) {
      if (System.currentTimeMillis() > deadline) {
        throw new AssertionError(what + ": that has not come to be");
      }
      Thread.sleep(10);
    }
  }

  static void waits(Channel channel, String queue, int count) throws Exception {
    eventually(count + " messages in " + queue, () -> channel.messageCount(queue) == count);
  }

  static GetResponse arrives(Channel channel, String queue, boolean autoAck) throws Exception {
    GetResponse[] got = new GetResponse[1];
    eventually("a message in " + queue, () -> (got[0] = channel.basicGet(queue, autoAck)) != null);
    return got[0];
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> death(GetResponse dead) {
    List<?> deaths = (List<?>) dead.getProps().getHeaders().get("x-death");
    same(deaths.size(), 1);
    return new HashMap<>((Map<String, Object>) deaths.get(0));
  }

  /** With what is read made equal to what is written: strings that are no String, octets, order. */
  static Object plain(Object value) {
    if (value instanceof Map<?, ?> map) {
      Map<Object, Object> plain = new HashMap<>();
      map.forEach((name, it) -> plain.put(name, plain(it)));
      return plain;
    }
    if (value instanceof List<?> list) {
      return list.stream().map(WithJava::plain).toList();
    }
    if (value instanceof byte[] octets) {
      return "octets " + Arrays.toString(octets);
    }
    return value instanceof com.rabbitmq.client.LongString ? value.toString() : value;
  }

  static long tagOf(Delivery delivery) {
    return delivery.getEnvelope().getDeliveryTag();
  }

  static byte[] octets(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String text(byte[] octets) {
    return new String(octets, StandardCharsets.UTF_8);
  }
}
