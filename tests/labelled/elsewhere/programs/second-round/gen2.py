from lib import *
import lib,asyncio,hashlib,uuid,concurrent.futures as cf
lib.OUT=os.environ.get("OUT","recorded");os.makedirs(lib.OUT,exist_ok=True)
import builtins
R=random.Random(3)
def msg(op,dest,mid,sysn="rabbitmq"):
    return {"messaging.system":sysn,"messaging.destination.name":dest,"messaging.operation.type":op,"messaging.operation.name":op,"messaging.message.id":mid}
# n+1 with literals, old conventions, wrapped
hr=Svc("hr-batch",old=True)
def f(i):
    with hr.span("close month",context=C.Context()):
        hr.sql("SELECT id FROM employee",5,sysname="mysql")
        for k in range(12):
            with hr.span("Employee.holidays"):
                with hr.span("Repository.find"): hr.sql(f"SELECT days FROM holidays WHERE employee = {1000+k*7} AND year = 2025",5,sysname="mysql")
record("hr-literals-two-functions-deep",f,["n-plus-one"])
a=Svc("rating2",{"GET /rating":lambda h:ms(50)});b=Svc("ping2",{"GET /ping":lambda h:ms(60)});c=Svc("bans2",{"GET /bans":lambda h:ms(45)})
mm=Svc("match-maker")
def f(i):
    with serve(mm,"POST /tickets"):
        with mm.span("fetch rating"): mm.call(a,"GET","/rating?p=1")
        with mm.span("fetch ping"): mm.call(b,"GET","/ping?p=1")
        with mm.span("fetch bans"): mm.call(c,"GET","/bans?p=1")
record("tickets-one-by-one-in-functions",f,["sequential-calls"])
def f(i):
    with serve(mm,"GET /season"):
        for t in ["standings","rewards","seasons","maps","rules"]: mm.sql(f"SELECT * FROM {t} WHERE season = $1",45)
record("season-five-reads-in-a-row",f,["sequential-calls"])
# pool of 2 before db spans, concurrent requests
S=threading.Semaphore(2); wiki=Svc("wiki")
def f(i):
    def w(k):
        with serve(wiki,"GET /pages/{slug}",path=f"/pages/p{k}"):
            with wiki.span("route"): ms(1)
            with S: wiki.sql("SELECT body FROM pages WHERE slug = $1",45)
            with wiki.span("markdown"): ms(4)
    ts=[threading.Thread(target=w,args=(k,)) for k in range(8)]
    for t in ts:t.start();ms(1.5)
    join(ts)
record("wiki-two-connections",f,["pool-wait"])
# lock held by background compaction
kvs=Svc("kv-store");L=threading.Lock()
def f(i):
    stop=[]
    def comp():
        while not stop:
            with kvs.span("compaction",context=C.Context()):
                with kvs.span("pick"): ms(3)
                with L:
                    with kvs.span("swap tables"): ms(70)
            ms(25)
    t=threading.Thread(target=comp);t.start()
    for k in range(4):
        ms(20)
        with serve(kvs,"PUT /kv/{k}"):
            with kvs.span("wal append"): ms(3)
            with L:
                with kvs.span("memtable insert"): ms(2)
    stop.append(1);t.join()
record("kv-compaction-holds-lock",f,["lock-wait"])
g=Svc("tax-calc")
def f(i):
    with serve(g,"POST /tax"):
        with g.span("gov.Tax/Lookup",K.CLIENT,{"rpc.system":"grpc","rpc.service":"gov.Tax","rpc.method":"Lookup","server.address":"grpc.gov.example","server.port":443,"rpc.grpc.status_code":0}): ms(720)
        with g.span("sum"): ms(5)
record("tax-grpc-third-party",f,["slow-external"])
pr=Svc("ingest-api");co=Svc("ingest-worker")
def f(i):
    hs=[]
    for k in range(8):
        mid=str(uuid.uuid4());h={}
        with serve(pr,"POST /docs"):
            with pr.span("send docs",K.PRODUCER,msg("send","docs",mid)): ms(1);P.inject(h)
        hs.append((mid,h))
    for mid,h in hs:
        with co.span("process docs",K.CONSUMER,msg("process","docs",mid),context=P.extract(h)):
            with co.span("embed"): ms(250)
record("docs-burst-one-consumer",f,["queue-delay"],n=2)
def f(i):
    with serve(pr,"POST /payments/export"):
        with pr.span("ledger publish",K.PRODUCER,{"messaging.system":"kafka","messaging.destination.name":"ledger","messaging.operation.type":"send","messaging.destination.partition.id":"3","messaging.kafka.offset":500+i}) as p: ms(2);cx=p.get_span_context()
    for n in range(2):
        ms(6)
        with co.span("ledger process",K.CONSUMER,{"messaging.system":"kafka","messaging.destination.name":"ledger","messaging.operation.type":"process","messaging.destination.partition.id":"3","messaging.kafka.offset":500+i},context=C.Context(),links=[Link(cx)]):
            with co.span("post entry"): ms(12)
record("ledger-same-offset-twice",f,["redelivery"])
ten=Svc("tenant-api",{"GET /t/{id}":lambda h:ms(12)})
def f(i):
    ctx=trace.set_span_in_context(trace.NonRecordingSpan(trace.SpanContext(R.getrandbits(128),R.getrandbits(64),True,trace.TraceFlags(1))))
    with serve(ten,"GET /t/{id}",ctx=ctx):
        with ten.span("load"): ms(8)
record("browser-parent-missing",f,["orphan-spans"],["partial-trace"])
sl=Svc("slow-clock",{"GET /x":lambda h:slw()})
def slw():
    with sl.span("work"): ms(18)
def f(i):
    with serve(ten,"GET /y"):
        with ten.span("pre"): ms(5)
        ten.call(sl,"GET","/x")
record("clock-80ms-behind",f,["clock-skew"],skew={"slow-clock":-80})
rn=Svc("ci-runner")
def f(i):
    with rn.t.start_as_current_span(f"run job {48211+i*37}",context=C.Context(),attributes={"job":48211+i*37}):
        with rn.span("script"): ms(4)
record("job-number-in-span-name",f,["unbounded-names"],n=30,wait=1)
def f(i):
    with serve(ten,"GET /login"):
        with ten.span("GET",K.CLIENT,{"http.request.method":"GET","url.full":"https://maps.example/v1?api_key=sk-live-9aF3kLm02QpXz71TbVn4Yc88&q=x","server.address":"maps.example","http.response.status_code":200}): ms(9)
record("api-key-in-url",f,["leaked-secret"])
def f(i):
    with serve(ten,"POST /users"):
        ten.sql("INSERT INTO users (mail, password) VALUES ('a@b.example', 'hunter2-Correct')",4)
record("password-in-statement",f,["leaked-secret"])
dl=Svc("bank")
def f(i):
    # two real locks taken in opposite order; the second one notices and is refused as a database would
    A,B=threading.Lock(),threading.Lock()
    def tx(x,y,delay):
        with serve(dl,"POST /transfer"):
            with dl.span("BEGIN",K.CLIENT,{"db.system.name":"postgresql","db.query.text":"BEGIN","server.address":"pg"}):ms(1)
            q="UPDATE accounts SET balance = balance - $1 WHERE id = $2"
            at={"db.system.name":"postgresql","db.query.text":q,"db.collection.name":"accounts","db.operation.name":"UPDATE","server.address":"pg"}
            with dl.span("UPDATE accounts",K.CLIENT,at): x.acquire();ms(3)
            ms(8)
            try:
                with dl.span("UPDATE accounts",K.CLIENT,at,record_exception=False,set_status_on_exception=False) as s:
                    if not y.acquire(timeout=delay):
                        e=RuntimeError("deadlock detected\nDETAIL: Process 71 waits for ShareLock on transaction 903; blocked by process 72.")
                        s.record_exception(e);s.set_status(StatusCode.ERROR,"deadlock detected");s.set_attribute("db.response.status_code","40P01");raise e
                    ms(3);y.release()
            finally:
                x.release()
    ts=[threading.Thread(target=tx,args=(A,B,2)),threading.Thread(target=tx,args=(B,A,.2))]
    for t in ts:t.start()
    join(ts)
record("transfer-deadlock",f,["deadlock"],["error","lock-wait"])
def f(i):
    with serve(rn,"POST /deploy"):
        s1=rn.t.start_span("fetch");ms(10);s1.end()
        s2=rn.t.start_span("unpack",context=trace.set_span_in_context(s1));ms(12);s2.end()
        s3=rn.t.start_span("restart",context=trace.set_span_in_context(s2));ms(14);s3.end()
        s4=rn.t.start_span("verify",context=trace.set_span_in_context(s3));ms(8);s4.end()
record("deploy-steps-hang-below-the-last",f,["wrong-parent"])
def half():
    t=sorted({(x.start_time,x.context.trace_id) for x in STORE.l if x.name=="GET /files"});return {t[-1][1]}
dn=Svc("downloader",{"GET /f":lambda h:dn.sql("SELECT id FROM f",12)})
def f(i):
    for k in range(2):
        with serve(ten,"GET /files"):
            with ten.span("auth"): ms(3)
            ten.call(dn,"GET","/f",mark=k)
record("sampling-flag-dropped-on-half",f,["partial-trace"],["broken-propagation"],drop=lambda s:s.resource.attributes["service.name"]=="downloader" and s.context.trace_id in half())
bad=Svc("shard2",{"GET /q/{n}":lambda h:(ms(10),500)[1] if h.path=="/q/3" else ms(20)})
def f(i):
    with serve(ten,"GET /find") as r:
        codes=[]
        join(par([lambda k=k:codes.append(ten.call(bad,"GET",f"/q/{k}")) for k in range(5)]))
        r.set_attribute("http.response.status_code",502);r.set_status(StatusCode.ERROR,"shard failed")
record("one-shard-fails",f,["error"])
ws=Svc("loop-wrapped")
def f(i):
    async def h(k):
        with serve(ws,"GET /msgs"):
            for n in range(3):
                with ws.span("read"): await asyncio.sleep(.01)
    async def badh():
        with serve(ws,"POST /avatar"):
            with ws.span("load"): await asyncio.sleep(.006)
            with ws.span("resize"): hashlib.pbkdf2_hmac("sha256",b"x"*9,b"salt",400000)
            with ws.span("save"): await asyncio.sleep(.002)
    async def main(): await asyncio.gather(*[h(k) for k in range(4)],badh())
    asyncio.run(main())
record("loop-blocked-in-a-span",f,["blocked-runtime"],["lock-wait"])
# healthy
def f(i):
    with serve(ten,"GET /missing",http__response__status_code=404): ms(3)
record("ok-not-found",f)
def f(i):
    with serve(pr,"POST /resize"):
        ctx=C.get_current()
        def w(k):
            t=C.attach(ctx)
            with pr.span("item",attrs={"n":k}): ms(30+5*(k%3))
            C.detach(t)
        with cf.ThreadPoolExecutor(2) as ex:list(ex.map(w,range(8)))
record("ok-two-workers-take-items",f)
def f(i):
    with serve(pr,"POST /epoch"):
        bar=threading.Barrier(4)
        def w(k):
            with pr.span("rank",attrs={"k":k}):
                with pr.span("load"): ms(15+20*k)
                bar.wait()
                with pr.span("exchange"): ms(12)
        join(par([lambda k=k:w(k) for k in range(4)]))
record("ok-barrier-of-four",f)
def f(i):
    with serve(ten,"GET /export"):
        ten.sql("DECLARE cur CURSOR FOR SELECT * FROM events",3)
        for k in range(8): ten.sql("FETCH 1000 FROM cur",3)
        ten.sql("CLOSE cur",1)
record("ok-cursor-fetches",f,allowed=[])
def f(i):
    with serve(pr,"GET /ws",network__protocol__name="websocket"):
        for k in range(30):
            ms(R.randint(20,60))
            with pr.span("ws message",attrs={"seq":k}): ms(2)
record("ok-websocket-session",f,n=2)
fast=Svc("replica-a",{"GET /v":lambda h:ms(20)});slow=Svc("replica-b",{"GET /v":lambda h:ms(90)})
def f(i):
    with serve(ten,"GET /hedged"):
        def s():
            try: ten.call(slow,"GET","/v",timeout=25)
            except Exception:pass
        join(par([lambda:ten.call(fast,"GET","/v"),s]))
record("ok-hedged-request",f,[],["abandoned-work","deadline-exceeded"],wait=120)
def f(i):
    with serve(ten,"GET /dash"):
        join(par([lambda k=k:ten.sql("SELECT count(*) FROM hits WHERE day = $1",30) for k in range(7)]))
record("ok-seven-queries-at-once",f)
def f(i):
    def w(k):
        with serve(pr,"GET /busy"):
            with pr.span("decode"): ms(3)
            with pr.span("compute",attrs={"k":k}): ms(80)
            with pr.span("write"): ms(2)
    ts=[]
    for k in range(5):
        t=threading.Thread(target=w,args=(k,));t.start();ts.append(t);ms(17)
    join(ts)
record("ok-parallel-long-work",f)
def f(i):
    with pr.span("scheduler",context=C.Context()):
        for k in range(3):
            with serve(pr,"GET /ticker"):
                with pr.span("tick"): ms(30)
            ms(30)
record("ok-ticks-back-to-back",f)
def f(i):
    with serve(ten,"POST /token-then-use"):
        ten.call(dn,"GET","/f");ten.redis("SET tok 1")
record("ok-one-call-and-cache",f)
lib.finish();os._exit(0)
