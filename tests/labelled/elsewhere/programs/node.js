// A Node program with the HTTP instrumentation of Node: four requests for nine stock calls each, one
// after the other (node-one-by-one) or all at once (node-all-at-once). Prints a line of OTLP/JSON each.
const { NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { JsonTraceSerializer } = require('@opentelemetry/otlp-transformer');

const [role, atOnce] = [process.argv[2], process.argv[3] === 'all-at-once'];
const spans = [];
const keep = { export: (ended, done) => { spans.push(...ended); done({ code: 0 }); }, shutdown: async () => {}, forceFlush: async () => {} };
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': role }), spanProcessors: [new SimpleSpanProcessor(keep)] });
provider.register();
registerInstrumentations({ instrumentations: [new HttpInstrumentation({ ignoreOutgoingRequestHook: r => r.headers && r.headers['x-visitor'] })] });
const http = require('http');

const get = (port, path, headers = {}) => new Promise(resolve =>
  http.get({ host: 'localhost', port, path, headers }, answer => answer.resume().on('end', resolve)));
const line = () => new TextDecoder().decode(JsonTraceSerializer.serializeRequest(spans.splice(0)));

if (role === 'stock') {
  const server = http.createServer((_, answer) => setTimeout(() => answer.end('5'), 45));
  server.listen(0, () => process.send(server.address().port));
  process.on('message', () => process.send(line()));
} else {
  const stock = require('child_process').fork(__filename, ['stock']);
  stock.once('message', port => {
    const server = http.createServer(async (_, answer) => {
      const items = [...Array(9).keys()].map(item => `/stock/${item + 500}`);
      if (atOnce) await Promise.all(items.map(path => get(port, path)));
      else for (const path of items) await get(port, path);
      answer.end('ok');
    });
    server.listen(0, async () => {
      for (let number = 0; number < 4; number++) {
        await get(server.address().port, '/cart', { 'x-visitor': '1' });
        await new Promise(resolve => setTimeout(resolve, 100));
        const theirs = new Promise(resolve => stock.once('message', resolve));
        stock.send('line');
        const both = [JSON.parse(line()), JSON.parse(await theirs)];
        console.log(JSON.stringify({ resourceSpans: both.flatMap(one => one.resourceSpans) }));
      }
      stock.kill();
      process.exit();
    });
  });
}
