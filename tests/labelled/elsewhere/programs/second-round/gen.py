from lib import *
import asyncio,sqlite3,hashlib,uuid,concurrent.futures as cf
R=random.Random(7)
# ---------- faulty
ci=Svc("ci-api")
def f(i):
    with serve(ci,"GET /builds/{id}",path=f"/builds/{i+40}"):
        ci.sql("SELECT id, name, state FROM jobs WHERE build_id = $1",4)
        for j in range(24): ci.sql("SELECT * FROM steps WHERE job_id = $1 ORDER BY seq",4)
record("ci-steps-per-job",f,["n-plus-one"])

content=Svc("content",{"GET /docs/{id}":lambda h:ms(28)},old=True); idx=Svc("search-indexer",old=True)
def f(i):
    with idx.span("index batch",attrs={"batch.no":i}):
        idx.sql("SELECT doc_id FROM changes WHERE seq > ? LIMIT 12",3,sysname="mysql")
        for d in range(12): idx.call(content,"GET",f"/docs/{uuid.uuid4()}",name="HTTP GET")
        with idx.span("write segment"): ms(15)
record("indexer-doc-by-doc",f,["n-plus-one"])

pay=Svc("payroll")
def emp(k):
    with pay.span("compute_pay",attrs={"employee.id":k}):
        with pay.span("load_tax_class"): pay.sql("SELECT class, rate FROM tax_classes WHERE employee_id = $1",5)
        with pay.span("net"): ms(2)
def f(i):
    with pay.span("payroll month",attrs={"month":f"2025-0{i+1}"}):
        pay.sql("SELECT id FROM employees WHERE active",6)
        for k in range(15): emp(1000+k)
        pay.sql("INSERT INTO payslips VALUES ($1,$2)",9,db__operation__batch__size=15)
record("payroll-query-inside-functions",f,["n-plus-one"])

rat=Svc("ratings",{"GET /rating/{p}":lambda h:ms(70)});pre=Svc("presence",{"GET /presence/{p}":lambda h:ms(55)});inv=Svc("loadouts",{"GET /loadout/{p}":lambda h:ms(80)})
mm=Svc("matchmaker")
def f(i):
    with serve(mm,"POST /queue/join"):
        mm.call(rat,"GET",f"/rating/p{i}",tmpl="/rating/{p}")
        mm.call(pre,"GET",f"/presence/p{i}",tmpl="/presence/{p}")
        mm.call(inv,"GET",f"/loadout/p{i}",tmpl="/loadout/{p}")
        with mm.span("bucket"): ms(4)
record("matchmaker-one-by-one",f,["sequential-calls"])

llm=Svc("llm-proxy")
def f(i):
    with serve(llm,"POST /v1/chat/completions"):
        llm.redis(f"GET quota:team{i}")
        with llm.span("POST",K.CLIENT,{"http.request.method":"POST","url.full":"https://api.bigmodel.example/v1/messages","server.address":"api.bigmodel.example","server.port":443,"gen_ai.system":"bigmodel","http.response.status_code":200}): ms(1300+100*i)
        llm.redis(f"INCRBY used:team{i} 812")
record("llm-proxy-third-party-slow",f,["slow-external"])

con=sqlite3.connect(":memory:",check_same_thread=False); rep=Svc("reporting")
def f(i):
    with serve(rep,"GET /reports/usage"):
        with rep.span("authorize"): ms(3)
        q="WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 4500000) SELECT sum(x) FROM c"
        with rep.span("SELECT usage.db",K.CLIENT,{"db.system.name":"sqlite","db.query.text":q,"db.namespace":"usage.db","db.operation.name":"SELECT"}): con.execute(q).fetchall()
        with rep.span("render"): ms(12)
record("report-full-scan",f,["slow-query"])

si=Svc("segment-writer"); L=threading.Lock()
def f(i):
    with serve(si,"POST /index/flush"):
        def w(k):
            with si.span("shard",attrs={"shard":k}):
                with si.span("tokenize"): ms(6)
                with L:
                    with si.span("merge segment"): ms(40)
                with si.span("ack"): ms(1)
        join(par([lambda k=k:w(k) for k in range(6)]))
record("flush-mutex-gap",f,["lock-wait"])

th=Svc("thumbnailer"); S=threading.Semaphore(2)
def f(i):
    with serve(th,"POST /albums/{id}/thumbnails"):
        def w(k):
            with th.span("photo",attrs={"photo.no":k}):
                with th.span("read original"): ms(5+k)
                with S:
                    with th.span("resize"): ms(60+3*(k%3))
                with th.span("store"): ms(3)
        join(par([lambda k=k:w(k) for k in range(8)]))
record("thumbs-pool-of-two",f,["pool-wait"])

chat=Svc("chat-gateway"); RL=threading.Lock()
def f(i):
    def w(k):
        with serve(chat,"POST /rooms/{room}/messages",path=f"/rooms/7/messages"):
            with chat.span("check membership"): ms(3)
            with RL:
                with chat.span("append to log"): ms(45)
            with chat.span("notify"): ms(2)
    ts=[threading.Thread(target=w,args=(k,)) for k in range(5)]
    for t in ts:t.start();ms(1)
    join(ts)
record("chat-room-lock-between-requests",f,["lock-wait"])

th2=Svc("preview-service"); S2=threading.Semaphore(2)
def f(i):
    def w(k):
        with serve(th2,"GET /preview/{file}",path=f"/preview/{k}.pdf"):
            th2.redis(f"GET preview:{k}",.5)
            with S2:
                with th2.span("render page"): ms(70)
            with th2.span("encode"): ms(3)
    ts=[threading.Thread(target=w,args=(k,)) for k in range(8)]
    for t in ts:t.start();ms(1)
    join(ts)
record("preview-two-renderers-between-requests",f,["pool-wait"])

gw=Svc("ws-gateway")
def f(i):
    async def h(k):
        with serve(gw,"GET /channels/{id}/history"):
            with gw.span("parse"): await asyncio.sleep(.002)
            with gw.span("GET",K.CLIENT,{"db.system.name":"redis","db.query.text":f"GET ch:{k}","server.address":"redis"}): await asyncio.sleep(.006)
            await asyncio.sleep(0)
            with gw.span("serialize"): await asyncio.sleep(.002)
    async def bad():
        with serve(gw,"POST /channels/{id}/export"):
            with gw.span("collect"): await asyncio.sleep(.004)
            hashlib.pbkdf2_hmac("sha256",b"x"*9,b"salt",900000)   # on the loop
            with gw.span("reply"): await asyncio.sleep(.001)
    async def main():
        ts=[asyncio.create_task(h(0)),asyncio.create_task(bad())]
        for k in range(1,6):
            ts.append(asyncio.create_task(h(k)));await asyncio.sleep(.0012)
        await asyncio.gather(*ts)
    asyncio.run(main())
record("gateway-hash-on-the-event-loop",f,["blocked-runtime"],["slow-query"])

cnt=[0]
blob=Svc("blobstore",{"PUT /chunks/{h}":lambda h:(ms(6),503)[1]}); sy=Svc("file-sync")
def f(i):
    with sy.span("sync folder",attrs={"folder":"/home/a"}) as r:
        with sy.span("hash"): ms(5)
        with sy.span("upload",record_exception=False,set_status_on_exception=False) as u:
            for a in range(6): sy.call(blob,"PUT",f"/chunks/{hashlib.md5(b'%d'%i).hexdigest()}",tmpl="/chunks/{h}",**({"http__request__resend_count":a} if a else {}))
            u.record_exception(IOError("upload failed after 6 attempts"));u.set_status(StatusCode.ERROR,"upload failed")
        r.set_status(StatusCode.ERROR,"sync failed")
record("sync-hammering",f,["retry-storm","error"])

st={}
def flaky(h):
    st["n"]=st.get("n",0)+1;ms(8);return 200 if st["n"]%5==0 else 503
tr=Svc("transcoder",{"POST /jobs":flaky},old=True); up=Svc("uploader",old=True)
def f(i):
    st.clear()
    with serve(up,"POST /videos"):
        for a in range(5): up.call(tr,"POST","/jobs",name="HTTP POST")
record("upload-retries-at-once-then-works",f,["retry-storm"])

def f(i):
    with serve(llm,"POST /v1/embeddings") as r:
        with llm.span("tokenize"): ms(4)
        with llm.span("POST",K.CLIENT,{"http.request.method":"POST","url.full":"https://api.bigmodel.example/v1/embeddings","server.address":"api.bigmodel.example","server.port":443}) as c:
            try:
                a,b=socket.socketpair();a.settimeout(.3);a.recv(1)
            except TimeoutError as e:
                c.record_exception(e);c.set_attribute("error.type","timeout");c.set_status(StatusCode.ERROR,"deadline of 300 ms exceeded")
        r.set_status(StatusCode.ERROR);r.set_attribute("http.response.status_code",504)
record("embeddings-deadline",f,["deadline-exceeded"],["error","slow-external"])

def longmatch(h):
    with simu.span("simulate"): ms(520)
simu=Svc("simulator",{"POST /simulate":longmatch}); lob=Svc("lobby")
def f(i):
    with serve(lob,"POST /predict") as r:
        try: lob.call(simu,"POST","/simulate",timeout=150)
        except Exception as e:
            r.record_exception(e);r.set_status(StatusCode.ERROR,"gave up");r.set_attribute("http.response.status_code",504)
record("lobby-gives-up-simulator-goes-on",f,["abandoned-work"],["deadline-exceeded","error"],wait=600)

def f(i):
    try:
        with ci.span("pipeline run",context=C.Context(),attrs={"pipeline.id":900+i,"git.ref":"main"}):
            with ci.span("stage build"):
                with ci.span("checkout"): ms(12)
                with ci.span("step compile",attrs={"step.cmd":"make all"}):
                    with ci.span("exec cc",attrs={"file":"parser.c"}):
                        ms(25);raise RuntimeError("cc exited with 1: undefined reference to `yylex'")
    except RuntimeError:pass
record("pipeline-compile-fails",f,["error"])

msg=lambda op,dest,mid,sysn="rabbitmq":{"messaging.system":sysn,"messaging.destination.name":dest,"messaging.operation.type":op,"messaging.operation.name":op,"messaging.message.id":mid}
tq=Svc("transcode-worker")
def f(i):
    mid=str(uuid.uuid4());h={}
    with serve(up,"POST /videos/{id}/transcode"):
        with up.span("send transcode",K.PRODUCER,msg("send","transcode",mid)): ms(2);P.inject(h)
    ms(1400)
    with tq.span("process transcode",K.CONSUMER,msg("process","transcode",mid),context=P.extract(h)):
        with tq.span("ffmpeg"): ms(60)
record("transcode-queue-behind",f,["queue-delay"])
def f(i):
    mid=str(uuid.uuid4())
    with serve(pay,"POST /runs"):
        with pay.span("payslips publish",K.PRODUCER,msg("publish","payslips",mid,"kafka")) as p: ms(2);cx=p.get_span_context()
    ms(1500)
    with tq.span("payslips process",K.CONSUMER,msg("process","payslips",mid,"kafka"),context=C.Context(),links=[Link(cx)]):
        with tq.span("print"): ms(40)
record("payslips-queue-behind-linked",f,["queue-delay"])

mail=Svc("mailer")
def f(i):
    mid=f"msg-{i}-{uuid.uuid4()}";h={}
    with serve(pay,"POST /payslips/{id}/mail"):
        with pay.span("mail send",K.PRODUCER,msg("send","mail",mid)): ms(2);P.inject(h)
    for n in range(2):
        with mail.span("mail process",K.CONSUMER,msg("process","mail",mid),context=P.extract(h)):
            with mail.span("smtp"): ms(30)
        ms(20)
record("mail-sent-twice",f,["redelivery"])

def f(i):
    mid=f"{uuid.uuid4()}";h={}
    with serve(th,"POST /photos"):
        with th.span("thumbs send",K.PRODUCER,msg("send","thumbs",mid)): ms(2);P.inject(h)
    ms(3)
    with tq.span("thumbs process",K.CONSUMER,msg("process","thumbs",mid),context=P.extract(h),record_exception=False,set_status_on_exception=False) as c:
        with tq.span("decode",record_exception=False,set_status_on_exception=False) as d:
            ms(8);d.record_exception(ValueError("not a JPEG"));d.set_status(StatusCode.ERROR,"not a JPEG")
        c.set_status(StatusCode.ERROR,"rejected")
        with tq.span("thumbs.dlq send",K.PRODUCER,msg("send","thumbs.dlq",mid)): ms(2)
record("photo-to-dead-letters",f,["dead-letter"],["error"])

def inner(h):
    with vec.span("knn"): ms(35)
vec=Svc("vector-search",{"POST /query":inner},extract=False); ask=Svc("ask-api")
def f(i):
    with serve(ask,"GET /ask"):
        with ask.span("embed"): ms(12)
        ask.call(vec,"POST","/query",inject=False)
        with ask.span("rank"): ms(5)
record("ask-header-not-sent",f,["broken-propagation"],["lost-context"])

def f(i):
    mid=str(uuid.uuid4())
    with serve(ask,"POST /documents"):
        with ask.span("ingest send",K.PRODUCER,msg("send","ingest",mid)): ms(2)
    ms(8)
    with idx.span("ingest process",K.CONSUMER,msg("process","ingest",mid),context=C.Context()):
        with idx.span("split"): ms(20)
record("ingest-message-without-context",f,["broken-propagation"],["lost-context"])

def f(i):
    with serve(sy,"POST /scan"):
        with sy.span("list files"): ms(15)
        def bg():
            with sy.span("checksum files"):
                with sy.span("read"): ms(20)
                sy.sql("UPDATE files SET sum = $1 WHERE id = $2",4)
        t=threading.Thread(target=bg);t.start()   # contextvars are not inherited by threads
        t.join()
        with sy.span("reply"): ms(2)
record("scan-thread-without-context",f,["lost-context"],["broken-propagation"])

def fe(h):
    with ren.span("layout"): ms(15)
    with ren.span("raster"): ms(25)
ren=Svc("renderer",{"POST /render":fe}); edge=Svc("map-edge")
def f(i):
    with serve(edge,"GET /tiles/{z}/{x}/{y}"): edge.call(ren,"POST","/render")
record("tiles-server-span-not-exported",f,["orphan-spans"],["partial-trace"],drop=lambda s:s.kind==K.SERVER and s.resource.attributes["service.name"]=="renderer")

geo=Svc("geocoder",{"GET /lookup":lambda h:geo.sql("SELECT * FROM places WHERE cell = $1",14)})
def f(i):
    with serve(edge,"GET /search"):
        with edge.span("parse"): ms(3)
        edge.call(geo,"GET","/lookup?q=a")
        with edge.span("sort"): ms(4)
record("geocoder-clock-80ms-ahead",f,["clock-skew"],skew={"geocoder":80})

def f(i):
    with serve(edge,"GET /routes"):
        edge.call(geo,"GET","/lookup?q=b")
        with edge.span("plan"): ms(20)
record("routes-batch-exported-twice",f,["duplicate-spans"],dup=lambda s:s.resource.attributes["service.name"]=="geocoder")

def f(i):
    u=str(uuid.uuid4())
    with sy.t.start_as_current_span(f"GET /files/{u}",context=C.Context(),kind=K.SERVER,attributes={"http.request.method":"GET","url.path":f"/files/{u}","http.response.status_code":200}):
        with sy.span("open"): ms(3)
        with sy.span("send"): ms(5)
record("files-id-in-span-name",f,["unbounded-names"],n=30,wait=1)

def f(i):
    with serve(llm,"POST /v1/keys",http__request__header__authorization=["Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"]):
        with llm.span("validate"): ms(5)
record("proxy-logs-authorization",f,["leaked-secret"])
def f(i):
    with serve(pay,"POST /accounts"):
        with pay.span("open account",attrs={"form.card":"4111 1111 1111 1111","form.name":"A. B."}): ms(5)
record("payroll-card-in-form",f,["leaked-secret"])

def f(i):
    with serve(llm,"POST /v1/stream"):
        with llm.span("generate"):
            for k in range(12000):
                with llm.span("token",attrs={"i":k}):pass
record("span-per-token",f,["span-flood"],["chatty"],n=2)

kinds=["profile","roles","flags","theme","inbox","unread","friends","blocked","devices","sessions","badges","quests","clan","events","news","motd","shop","wallet","gifts","mutes","prefs","locale","stats","bans","invites","party"]
core=Svc("core-api",{"GET /{k}/{u}":lambda h:ms(8)})
def f(i):
    with serve(lob,"GET /bootstrap"):
        join(par([lambda k=k:lob.call(core,"GET",f"/{k}/u{i}",tmpl=f"/{k}/{{u}}",name=f"GET /{k}/{{u}}") for k in kinds]))
record("lobby-bootstrap-26-calls",f,["chatty"])

# ---------- healthy
def lev(d):
    with ci.span(f"level {d}"):
        ms(1)
        if d<16: lev(d+1)
        ms(1)
c3=Svc("cache-tier",{"GET /artifact":lambda h:lev(12)});c2=Svc("artifact-api",{"GET /artifact":lambda h:c2.call(c3,"GET","/artifact") and None})
c2.routes["GET /artifact"]=lambda h:(c2.call(c3,"GET","/artifact"),None)[1]
def f(i):
    with serve(ci,"GET /chain"):
        with ci.span("a"):
            with ci.span("b"):
                with ci.span("c"): ci.call(c2,"GET","/artifact")
record("ok-deep-chain",f)
def f(i):
    with pay.span("import timesheets"):
        with pay.span("parse csv"): ms(20)
        for b in range(3):
            pay.sql("INSERT INTO timesheets (emp, day, hours) VALUES ($1,$2,$3)",14,db__operation__batch__size=200)
        pay.sql("COMMIT",2)
record("ok-batch-insert",f)
shard=Svc("shard",{"POST /search":lambda h:ms(R.randint(20,45))}); qb=Svc("query-broker")
def f(i):
    with serve(qb,"GET /search"):
        with qb.span("plan"): ms(2)
        join(par([lambda k=k:qb.call(shard,"POST",f"/search?shard={k}",tmpl="/search") for k in range(10)]))
        with qb.span("merge"): ms(5)
record("ok-scatter-gather",f)
def f(i):
    ev=threading.Event()
    with serve(chat,"GET /poll"):
        with chat.span("auth"): ms(2)
        threading.Timer(2,ev.set).start();ev.wait(25)
        with chat.span("write"): ms(1)
record("ok-long-poll",f)
def f(i):
    with sy.span("nightly sweep",context=C.Context()):
        for k in range(4):
            with sy.span("sweep partition",attrs={"partition":k}):
                sy.sql("DELETE FROM tmp_files WHERE part = $1 AND age > $2",6)
            if k<3: ms(600)    # politeness pause
record("ok-cron-with-pauses",f)
def infer(h):
    sp=trace.get_current_span()
    for k in range(20): ms(90);sp.add_event("gen_ai.chunk",{"n":k})
gpu=Svc("inference",{"POST /generate":infer})
def f(i):
    with serve(llm,"POST /v1/chat/completions",gen_ai__request__stream=True) as r:
        with llm.span("template"): ms(2)
        r.add_event("first chunk");llm.call(gpu,"POST","/generate")
record("ok-streaming-own-model",f)
def f(i):
    with serve(chat,"GET /me"):
        for k in ["user","roles","flags","unread","theme","locale","pins"]: chat.redis(f"GET {k}:42",.4)
        with chat.span("render"): ms(6)
record("ok-cache-lookups",f)
st2={}
def flaky2(h):
    st2["n"]=st2.get("n",0)+1;ms(7);return 200 if st2["n"]==4 else 503
b2=Svc("blobstore-eu",{"PUT /chunks/{h}":flaky2})
def f(i):
    st2.clear()
    with serve(sy,"PUT /upload"):
        for a in range(4):
            if sy.call(b2,"PUT","/chunks/abc",tmpl="/chunks/{h}",**({"http__request__resend_count":a} if a else {}))==200:break
            ms(50*2**a+R.randint(0,15))
record("ok-backoff-then-works",f)
def f(i):
    with ci.span("pipeline run",context=C.Context()):
        def lane(n,steps):
            with ci.span(n):
                for s,t in steps:
                    with ci.span(s): ms(t)
        join(par([lambda:lane("lint",[("install",20),("eslint",40)]),lambda:lane("unit",[("install",25),("compile",90),("test",140)]),lambda:lane("docs",[("mdbook",70)]),lambda:lane("e2e",[("boot",110),("browser",230),("teardown",15)])]))
        with ci.span("publish"): ms(15)
record("ok-parallel-pipeline",f)
def f(i):
    ex=cf.ThreadPoolExecutor(4)
    with serve(th,"POST /albums/{id}/thumbnails"):
        ctx=C.get_current()
        def w(k):
            t=C.attach(ctx)
            with th.span("photo",attrs={"photo.no":k}):
                with th.span("read original"): ms(5)
                with th.span("resize"): ms(50+10*k)
                with th.span("store"): ms(3)
            C.detach(t)
        list(ex.map(w,range(3)))
record("ok-pool-with-room",f)
def f(i):
    with serve(pay,"POST /hire"):
        for q in ["BEGIN","SELECT id FROM departments WHERE code = $1 FOR UPDATE","INSERT INTO employees VALUES ($1,$2)","INSERT INTO contracts VALUES ($1,$2)","UPDATE departments SET headcount = headcount + 1 WHERE id = $1","INSERT INTO bank_accounts VALUES ($1)","INSERT INTO audit VALUES ($1)","COMMIT"]: pay.sql(q,4)
record("ok-transaction-of-eight",f)
gq=Svc("graphql-api")
def f(i):
    with serve(gq,"POST /graphql",graphql__operation__name="Feed"):
        with gq.span("graphql.parse"): ms(1)
        with gq.span("graphql.execute"):
            with gq.span("resolve Query.posts"): gq.sql("SELECT id, author_id, title FROM posts ORDER BY ts DESC LIMIT 20",5)
            for k in range(20):
                with gq.span("resolve Post.title",attrs={"graphql.field.path":f"posts.{k}.title"}): pass
            with gq.span("dataloader authors"): gq.sql("SELECT id, name FROM users WHERE id = ANY($1)",5)
            for k in range(20):
                with gq.span("resolve Post.author",attrs={"graphql.field.path":f"posts.{k}.author"}): ms(.2)
record("ok-graphql-with-dataloader",f)
def f(i):
    with serve(simu,"POST /tournaments/solve"):
        t=time.time()
        with simu.span("branch and bound"):
            while time.time()-t<3: hashlib.sha256(b"x"*10000).digest()
record("ok-computation-of-3s",f,n=2)
def f(i):
    tp=[trace.SpanContext(R.getrandbits(128),R.getrandbits(64),True,trace.TraceFlags(1)) for _ in range(25)]
    with idx.span("compact",context=C.Context(),links=[Link(c,{"segment":k}) for k,c in enumerate(tp)],attrs={f"segment.{k}.docs":k*113 for k in range(80)}):
        with idx.span("merge"): ms(30)
        with idx.span("fsync"): ms(8)
record("ok-many-links-and-attributes",f)
def f(i):
    with serve(chat,"GET /rooms"):
        with chat.span("GET",K.CLIENT,{"db.system.name":"redis","db.query.text":"GET rooms","server.address":"redis"},record_exception=False,set_status_on_exception=False) as c:
            ms(3);c.record_exception(ConnectionError("redis: connection refused"));c.set_status(StatusCode.ERROR,"connection refused")
        chat.sql("SELECT id, name FROM rooms",6)
record("ok-cache-down-handled",f)
def f(i):
    with serve(llm,"POST /v1/messages",gen_ai__usage__input_tokens=4111111111,gen_ai__request__max_tokens=4096,password__reset=True,trace__ref="4111111111111112",user__agent__original="curl/8 token-refresher",auth__method="bearer",commit="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",token__type="access",secret__name="prod/db/password",credential__masked="****************"):
        with llm.span("route"): ms(6)
record("ok-secret-look-alikes",f)
def f(i):
    ids=[str(uuid.uuid4()) for _ in range(6)];cx=[]
    for m in ids:
        with serve(ask,"POST /events"):
            with ask.span("events send",K.PRODUCER,msg("send","events",m,"kafka")) as p: ms(1);cx.append(p.get_span_context())
    ms(4)
    with idx.span("events process",K.CONSUMER,{"messaging.system":"kafka","messaging.destination.name":"events","messaging.operation.type":"process","messaging.batch.message_count":6},context=C.Context(),links=[Link(c,{"messaging.message.id":m}) for c,m in zip(cx,ids)]):
        idx.sql("INSERT INTO events VALUES (?,?)",8,sysname="mysql")
record("ok-batch-consumer-by-links",f)
rts=["/a","/b","/login","/logout","/me","/health","/rooms/{id}","/rooms/{id}/pins","/files/{id}","/v2/search"]
def f(i):
    with serve(chat,"GET "+rts[i%10],path=rts[i%10].replace("{id}",str(i))):
        with chat.span("handler "+rts[i%10]): ms(3)
record("ok-many-routes-bounded",f,n=30,wait=1)
def f(i):
    with serve(mail,"POST /newsletter"):
        with mail.span("validate"): ms(3)
        def bg():
            with mail.span("render later"): ms(80)
        ts=par([bg]);ms(4)
    join(ts)
record("ok-fire-and-forget-same-process",f)
def f(i):
    def w(k):
        with serve(th2,"GET /preview/{file}",path=f"/preview/{k}.pdf"):
            th2.redis(f"GET preview:{k}",.5);ms(1)
            with th2.span("render page"): ms(50+9*k)
            with th2.span("encode"): ms(3)
    ts=[threading.Thread(target=w,args=(k,)) for k in range(6)]
    for t in ts:t.start();ms(1)
    join(ts)
record("ok-concurrent-previews",f)
def f(i):
    with serve(lob,"GET /leaderboard"):
        with lob.span("prepare"): ms(25)
        core.routes["GET /{k}/{u}"]=lambda h:ms(30)
        lob.call(core,"GET","/stats/top",tmpl="/{k}/{u}")
        with lob.span("score in memory"): ms(60)
        ms(40)   # own work without a span
record("ok-own-work-without-span",f)
finish()
os._exit(0)
