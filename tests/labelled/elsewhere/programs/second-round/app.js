const {BasicTracerProvider,SimpleSpanProcessor}=require('@opentelemetry/sdk-trace-base');const {resourceFromAttributes}=require('@opentelemetry/resources');
const api=require('@opentelemetry/api');const {AsyncLocalStorageContextManager}=require('@opentelemetry/context-async-hooks');
const http=require('http'),crypto=require('crypto'),fs=require('fs');
api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
let spans=[];const proc={onStart(){},onEnd(s){spans.push(s)},shutdown(){return Promise.resolve()},forceFlush(){return Promise.resolve()}};
const tp=new BasicTracerProvider({resource:resourceFromAttributes({'service.name':'graph-gateway','host.name':'n1','process.pid':process.pid,'service.instance.id':'gg-1'}),spanProcessors:[proc]});
const t=tp.getTracer('app');const sleep=ms=>new Promise(r=>setTimeout(r,ms));
const span=(n,o,f)=>t.startActiveSpan(n,o||{},async s=>{try{return await f(s)}finally{s.end()}});
const root=(n,f)=>t.startActiveSpan(n,{kind:1,root:true,attributes:{'http.request.method':n.split(' ')[0],'http.route':n.split(' ')[1],'http.response.status_code':200}},async s=>{try{await f(s)}finally{s.end()}});
const pg=(q,ms)=>span('pg.query:SELECT',{kind:2,attributes:{'db.system':'postgresql','db.statement':q,'net.peer.name':'pg','db.name':'g'}},()=>sleep(ms));
const ns=h=>(BigInt(h[0])*1000000000n+BigInt(h[1])).toString();
const av=v=>typeof v==='number'?(Number.isInteger(v)?{intValue:String(v)}:{doubleValue:v}):typeof v==='boolean'?{boolValue:v}:{stringValue:String(v)};
const kv=o=>Object.entries(o||{}).map(([key,v])=>({key,value:av(v)}));
function dump(){const l=spans.map(s=>({traceId:s.spanContext().traceId,spanId:s.spanContext().spanId,...(s.parentSpanContext?{parentSpanId:s.parentSpanContext.spanId}:{}),name:s.name,kind:s.kind+1,startTimeUnixNano:ns(s.startTime),endTimeUnixNano:ns(s.endTime),attributes:kv(s.attributes),status:s.status.code?{code:s.status.code}:{}}));
 const o={resourceSpans:[{resource:{attributes:kv(tp._resource?tp._resource.attributes:{})},scopeSpans:[{scope:{name:'app'},spans:l}]}]};spans=[];return JSON.stringify(o)}
async function rec(name,f,n=3){const out=[];for(let i=0;i<n;i++){await f(i);await sleep(30);out.push(dump())}fs.writeFileSync((process.env.OUT||'recorded')+'/'+name+'.otlp.jsonl',out.join('\n')+'\n')}
(async()=>{
 await rec('node-nplus1-resolvers',i=>root('POST /graphql',()=>span('graphql.execute',{},async()=>{await pg('SELECT id, author FROM posts LIMIT 12',5);for(let k=0;k<12;k++)await span('resolve Post.author',{},()=>pg('SELECT * FROM users WHERE id = $1',6))})));
 await rec('node-loop-blocked-between-spans',async i=>{const h=()=>root('GET /list',async()=>{for(let k=0;k<3;k++){await span('step',{},()=>sleep(6))}});
  const bad=()=>root('POST /zip',async()=>{await span('read',{},()=>sleep(8));crypto.pbkdf2Sync('a','b',500000,32,'sha256');await span('save',{},()=>sleep(2))});
  await Promise.all([h(),h(),bad(),h(),h()])});
 await rec('node-loop-blocked-at-the-end-of-server-span',async i=>{const h=()=>root('GET /list',async()=>{for(let k=0;k<3;k++){await span('step',{},()=>sleep(6))}});
  const bad=()=>root('POST /zip',async()=>{await span('read',{},()=>sleep(8));crypto.pbkdf2Sync('a','b',500000,32,'sha256')});
  await Promise.all([h(),h(),bad(),h(),h()])});
 await rec('ok-node-promise-all',i=>root('POST /graphql',()=>span('graphql.execute',{},async()=>{await pg('SELECT id FROM posts LIMIT 12',5);await Promise.all([1,2,3,4,5,6,7,8].map(k=>span('resolve',{},()=>pg('SELECT * FROM tags WHERE post = ANY($1)',6+k))))})));
 await rec('node-semaphore-of-two',i=>root('POST /crawl',async()=>{let free=2;const q=[];const acq=()=>free>0?(free--,null):new Promise(r=>q.push(r));const rel=()=>{q.length?q.shift()():free++};
  await Promise.all([0,1,2,3,4,5,6].map(k=>span('page',{},async()=>{await span('dns',{},()=>sleep(3));await acq();await span('fetch page',{},()=>sleep(50+k*4));rel();await span('extract',{},()=>sleep(2))})))}));
})();
