import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.transport.Netty4Plugin;

/**
 * One node of OpenSearch, made of the jars of Maven Central, which are OpenSearch without its archive of scripts and
 * modules: FOLDER PORT PORT-OF-THE-TRANSPORT. Only the modules that stores of traces need are in it.
 */
final class OpenSearchServer extends Node {
  private OpenSearchServer(Settings settings) {
    super(
        InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "node"),
        List.of(Netty4Plugin.class, CommonAnalysisPlugin.class, PainlessPlugin.class),
        false);
  }

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]).toAbsolutePath();
    // It refuses to start without these, even if nothing is in them.
    for (String needed : List.of("config", "modules", "plugins")) {
      Files.createDirectories(folder.resolve(needed));
    }
    Settings settings =
        Settings.builder()
            .put("path.home", folder.toString())
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", arguments[1])
            .put("transport.port", arguments[2])
            // Zipkin asks for snappy, and cannot read the answer.
            .put("http.compression", false)
            // A disk of which less than a tenth is free is enough for a test.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
    Node node = new OpenSearchServer(settings);
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    node.close();
                  } catch (Exception failure) {
                    failure.printStackTrace();
                  }
                  stopped.countDown();
                }));
    node.start();
    stopped.await();
  }
}
