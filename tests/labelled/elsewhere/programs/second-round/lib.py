import json,time,threading,subprocess,os,http.client,re,socket,random
from contextlib import contextmanager
from http.server import ThreadingHTTPServer,BaseHTTPRequestHandler
from opentelemetry import trace,context as C
from opentelemetry.sdk.trace import TracerProvider,SpanProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind as K,Status,StatusCode,Link
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
P=TraceContextTextMapPropagator()
ms=lambda n: time.sleep(n/1000)
class Store(SpanProcessor):
    def __init__(s): s.l=[];s.k=threading.Lock()
    def on_start(s,*a,**k):pass
    def on_end(s,sp):
        with s.k:s.l.append(sp)
    def shutdown(s):pass
    def force_flush(s,*a):return True
STORE=Store()
def av(v):
    if isinstance(v,bool):return {"boolValue":v}
    if isinstance(v,int):return {"intValue":str(v)}
    if isinstance(v,float):return {"doubleValue":v}
    if isinstance(v,(list,tuple)):return {"arrayValue":{"values":[av(x) for x in v]}}
    return {"stringValue":str(v)}
kv=lambda d:[{"key":k,"value":av(v)} for k,v in (d or {}).items()]
def otlp(spans,skew={},drop=lambda s:False,dup=lambda s:False):
    by={}
    for s in spans:
        if drop(s):continue
        off=skew.get(s.resource.attributes["service.name"],0)*1000000
        o={"traceId":"%032x"%s.context.trace_id,"spanId":"%016x"%s.context.span_id,"flags":257,"name":s.name,
           "kind":s.kind.value+1,"startTimeUnixNano":str(s.start_time+off),"endTimeUnixNano":str(s.end_time+off),
           "attributes":kv(s.attributes),
           "events":[{"timeUnixNano":str(e.timestamp+off),"name":e.name,"attributes":kv(e.attributes)} for e in s.events],
           "links":[{"traceId":"%032x"%l.context.trace_id,"spanId":"%016x"%l.context.span_id,"attributes":kv(l.attributes)} for l in s.links],
           "status":{}}
        if s.parent:o["parentSpanId"]="%016x"%s.parent.span_id
        if s.status.status_code.value:o["status"]={"code":s.status.status_code.value}
        if s.status.description:o["status"]["message"]=s.status.description
        k=(id(s.resource),s.instrumentation_scope.name)
        e=by.setdefault(k,(s.resource,s.instrumentation_scope,[]))
        e[2].append(o)
        if dup(s):e[2].append(dict(o))
    return {"resourceSpans":[{"resource":{"attributes":kv(r.attributes)},"scopeSpans":[{"scope":{"name":sc.name},"spans":l}]} for r,sc,l in by.values()]}
class Svc:
    n=0
    def __init__(s,name,routes=None,old=False,host=None,extract=True):
        Svc.n+=1;s.name=name;s.old=old;s.extract=extract;s.routes=routes or {}
        s.tp=TracerProvider(resource=Resource.create({"service.name":name,"host.name":host or f"node-{Svc.n:02d}","process.pid":4000+Svc.n*17,"service.instance.id":f"{name}-{Svc.n}","deployment.environment.name":"test"}))
        s.tp.add_span_processor(STORE);s.t=s.tp.get_tracer("io."+name)
        s.srv=None
        if routes:
            me=s
            class H(BaseHTTPRequestHandler):
                protocol_version="HTTP/1.0"
                def log_message(*a):pass
                def do(h):
                    n=int(h.headers.get("content-length",0));body=h.rfile.read(n)
                    path=h.path.split("?")[0]
                    for pat,f in me.routes.items():
                        m,_,r=pat.partition(" ")
                        if m==h.command and re.fullmatch(re.sub(r"\{\w+\}","[^/]+",r),path):break
                    else: raise Exception(h.path)
                    ctx=P.extract(dict((k.lower(),v) for k,v in h.headers.items())) if me.extract else C.Context()
                    at={"http.method":m,"http.target":h.path,"http.route":r} if me.old else {"http.request.method":m,"url.path":h.path,"http.route":r,"server.address":me.name,"url.scheme":"http"}
                    with me.t.start_as_current_span(f"{m} {r}",context=ctx,kind=K.SERVER,attributes=at,record_exception=False,set_status_on_exception=False) as sp:
                        try: code=f(h) or 200
                        except Exception as e:
                            code=500;sp.record_exception(e)
                        sp.set_attribute("http.status_code" if me.old else "http.response.status_code",code)
                        if code>=500:sp.set_status(StatusCode.ERROR)
                    try:
                        h.send_response(code);h.end_headers();h.wfile.write(b"{}")
                    except Exception:pass
                do_GET=do_POST=do_PUT=do
            class T(ThreadingHTTPServer):
                request_queue_size=128;daemon_threads=True
                def handle_error(*a):pass
            s.srv=T(("127.0.0.1",0),H);s.port=s.srv.server_port
            threading.Thread(target=s.srv.serve_forever,kwargs={"poll_interval":.05},daemon=True).start()
    def span(s,name,kind=K.INTERNAL,attrs=None,**k): return s.t.start_as_current_span(name,kind=kind,attributes=attrs,**k)
    def call(s,peer,m,path,name=None,tmpl=None,timeout=None,inject=True,ok=True,**at):
        addr=peer.name
        a={"http.method":m,"http.url":f"http://{addr}:8080{path}","net.peer.name":addr,"net.peer.port":8080} if s.old else {"http.request.method":m,"url.full":f"http://{addr}:8080{path}","server.address":addr,"server.port":8080}
        if tmpl:a["url.template"]=tmpl
        a.update({k.replace("__","."):v for k,v in at.items()})
        with s.span(name or m,K.CLIENT,a,record_exception=False,set_status_on_exception=False) as sp:
            h={}
            if inject:P.inject(h)
            c=http.client.HTTPConnection("127.0.0.1",peer.port,timeout=timeout/1000 if timeout else None)
            try:
                c.request(m,path,headers=h);r=c.getresponse();r.read();code=r.status
            except (TimeoutError,socket.timeout) as e:
                sp.record_exception(e);sp.set_attribute("error.type","timeout");sp.set_status(StatusCode.ERROR,"timed out");raise
            finally:c.close()
            sp.set_attribute("http.status_code" if s.old else "http.response.status_code",code)
            if code>=400:
                sp.set_status(StatusCode.ERROR)
                if not s.old:sp.set_attribute("error.type",str(code))
            return code
    def sql(s,q,t=3,sysname="postgresql",db="main",**at):
        op=q.split()[0];m=re.search(r"(?:FROM|INTO|UPDATE)\s+(\w+)",q)
        tb=m.group(1) if m else None
        a={"db.system":sysname,"db.statement":q,"db.name":db,"net.peer.name":sysname} if s.old else {"db.system.name":sysname,"db.query.text":q,"db.namespace":db,"db.operation.name":op,"server.address":sysname}
        if tb and not s.old:a["db.collection.name"]=tb
        a.update({k.replace("__","."):v for k,v in at.items()})
        with s.span(f"{op} {tb}" if tb else op,K.CLIENT,a): ms(t*random.uniform(.8,1.3))
    def redis(s,q,t=.4):
        op=q.split()[0]
        with s.span(op,K.CLIENT,{"db.system.name":"redis","db.query.text":q,"db.operation.name":op,"server.address":"redis"}): ms(t)
    def stop(s):
        if s.srv:s.srv.shutdown();s.srv.server_close()
@contextmanager
def serve(s,name,ctx=None,**at):
    m,_,r=name.partition(" ")
    a={"http.request.method":m,"http.route":r,"url.path":at.pop("path",r),"url.scheme":"http"}
    a.update({k.replace("__","."):v for k,v in at.items()})
    with s.t.start_as_current_span(name,context=ctx or C.Context(),kind=K.SERVER,attributes=a,record_exception=False,set_status_on_exception=False) as sp:
        try:
            yield sp
            if "http.response.status_code" not in sp.attributes:sp.set_attribute("http.response.status_code",200)
        except Exception as e:
            sp.record_exception(e);sp.set_attribute("http.response.status_code",500);sp.set_attribute("error.type",type(e).__name__);sp.set_status(StatusCode.ERROR,str(e))
def par(fs,n=None):
    "threads that keep the context"
    ctx=C.get_current();ts=[]
    def run(f):
        tok=C.attach(ctx)
        try:f()
        finally:C.detach(tok)
    for f in fs:
        t=threading.Thread(target=run,args=(f,));t.start();ts.append(t)
    return ts
def join(ts):
    for t in ts:t.join()
OUT=os.environ.get("OUT","recorded")
os.makedirs(OUT,exist_ok=True)
LABELS={}
def record(name,fn,expected=(),allowed=(),n=3,wait=60,**k):
    lines=[]
    for i in range(n):
        STORE.l=[];fn(i);ms(wait)
        lines.append(json.dumps(otlp(list(STORE.l),**k)))
    p=f"{OUT}/{name}.otlp.jsonl"
    open(p,"w").write("\n".join(lines)+"\n")
    subprocess.run(["zstd","-q","-f","--rm",p],check=True)
    LABELS[name]={"expected":list(expected),"allowed":list(allowed)}
    print(name,len(STORE.l),flush=True)
def finish(f="labels.json"):
    json.dump(LABELS,open(f"{OUT}/{f}","w"),indent=1)
