// What node's own modules do through libuv, one section after the other. Prints only what is decided.
'use strict';
const assert = require('assert');
const { once } = require('events');
const fs = require('fs');
const os = require('os');
const path = require('path');

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'node-'));
const at = (name) => path.join(home, name);
const sha = (data) => require('crypto').createHash('sha256').update(data).digest('hex').slice(0, 16);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const pattern = (size) => Buffer.alloc(size, 'abcdefghijklmnopqrstuvw\n');

async function body(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const sections = {
  async timers() {
    const order = [];
    await new Promise((done) => {
      // Far enough apart for a process that has to wait for its turn between two lines.
      setTimeout(() => order.push('400 ms'), 400);
      setTimeout(() => order.push('1 ms'), 1);
      let count = 0;
      const ticks = setInterval(() => {
        if (++count < 3) return;
        clearInterval(ticks);
        setTimeout(() => { order.push(`${count} ticks`); done(); }, 800);
      }, 30);
      const never = setTimeout(() => order.push('never'), 50);
      clearTimeout(never);
      setTimeout(() => order.push('unreferenced'), 1e6).unref();
      process.nextTick(() => order.push('next tick'));
      Promise.resolve().then(() => order.push('microtask'));
    });
    console.log(order.join(', '));
    await new Promise((done) => fs.readFile(__filename, () => {
      const inside = [];
      setTimeout(() => { inside.push('timeout'); done(); }, 0);
      setImmediate(() => inside.push('immediate'));
      process.nextTick(() => inside.push('tick'));
      setTimeout(() => console.log(inside.join(', ')), 20);
    }));
    await sleep(30);
  },

  async http() {
    const http = require('http');
    const big = pattern(3_000_000);
    const server = http.createServer(async (request, response) => {
      if (request.url === '/big') return response.end(big);
      if (request.url === '/slow') { await sleep(20); return response.end('slow'); }
      if (request.url === '/file') return fs.createReadStream(__filename).pipe(response);
      if (request.url === '/reset') return request.socket.destroy();
      if (request.url === '/chunks') {
        for (let i = 0; i < 50; i++) { response.write(`chunk ${i}\n`); if (i % 10 === 0) await sleep(1); }
        return response.end();
      }
      const got = await body(request);
      response.setHeader('x-length', got.length);
      response.end(sha(got));
    });
    // A busy machine closes no connection that is still wanted.
    server.keepAliveTimeout = 0;
    server.headersTimeout = 0;
    server.requestTimeout = 0;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    const ask = (url, data) => new Promise((done, fail) => {
      const request = http.request({ port, host: '127.0.0.1', path: url, agent, method: data ? 'POST' : 'GET' });
      request.on('error', (error) => done(error.code));
      request.on('response', async (response) => {
        try { done(`${response.statusCode} ${sha(await body(response))}`); } catch (error) { fail(error); }
      });
      request.end(data);
    });
    for (const url of ['/big', '/slow', '/file', '/chunks', '/reset']) {
      const [first, ...rest] = await Promise.all(Array.from({ length: 20 }, () => ask(url)));
      console.log(url, first === undefined ? 'nothing' : url === '/file' ? 'file' : first, rest.every((one) => one === first));
    }
    console.log('post', await ask('/', big), await ask('/', 'small'));
    const many = await Promise.all(Array.from({ length: 300 }, (_, i) => ask('/', `body ${i}`)));
    console.log('300 posts', sha(many.join()));
    agent.destroy();
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  },

  async net() {
    const net = require('net');
    for (const where of [{ port: 0, host: '127.0.0.1' }, { port: 0, host: '::1' }, { path: at('sock') }]) {
      const server = net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => {});
        socket.pipe(socket);
      });
      server.listen(where);
      await once(server, 'listening');
      const target = where.path ? { path: where.path } : { port: server.address().port, host: where.host };
      const echo = async (size) => {
        const socket = net.connect({ ...target, allowHalfOpen: true });
        socket.end(pattern(size));
        const back = await body(socket);
        return back.length === size && back.equals(pattern(size));
      };
      const sizes = [0, 1, 100, 65536, 65537, 1_000_000];
      console.log(where.path ? 'pipe' : where.host, (await Promise.all(sizes.map(echo))).join());
      const clients = await Promise.all(Array.from({ length: 200 }, () => echo(300)));
      console.log('200 clients', clients.every(Boolean));
      const paused = net.connect(target);
      await once(paused, 'connect');
      paused.write('one');
      paused.pause();
      await sleep(20);
      paused.setNoDelay(true);
      paused.setKeepAlive(true, 1000);
      paused.resume();
      console.log(String((await once(paused, 'data'))[0]));
      paused.setTimeout(10);
      await once(paused, 'timeout');
      const closed = once(paused, 'close');
      if (where.path) paused.destroy(); else paused.resetAndDestroy();
      console.log('closed', (await closed)[0]);
      server.close();
      await once(server, 'close');
      const refused = net.connect(target);
      const [error] = await once(refused, 'error');
      console.log(error.code, error.syscall);
    }
    const taken = net.createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const second = net.createServer().listen(taken.address().port, '127.0.0.1');
    const [error] = await once(second, 'error');
    console.log(error.code, error.syscall);
    taken.close();
  },

  async files() {
    const fsp = fs.promises;
    await fsp.writeFile(at('a'), 'hello');
    await fsp.appendFile(at('a'), ' world');
    console.log(await fsp.readFile(at('a'), 'utf8'));
    await fsp.writeFile(at('big'), pattern(5_000_000));
    console.log(sha(await fsp.readFile(at('big'))), (await fsp.stat(at('big'))).size);
    await fsp.copyFile(at('big'), at('copy'));
    console.log(sha(await body(fs.createReadStream(at('copy'), { highWaterMark: 4000 }))));
    const out = fs.createWriteStream(at('out'));
    for (let i = 0; i < 2000; i++) if (!out.write(`line ${i}\n`)) await once(out, 'drain');
    out.end();
    await once(out, 'close');
    console.log(sha(await fsp.readFile(at('out'))));
    await fsp.mkdir(at('deep/er/est'), { recursive: true });
    await Promise.all(Array.from({ length: 100 }, (_, i) => fsp.writeFile(at(`deep/${i}`), `${i}`)));
    console.log((await fsp.readdir(at('deep'))).length, (await fsp.readdir(at('deep'), { withFileTypes: true })).filter((e) => e.isDirectory()).length);
    const dir = await fsp.opendir(at('deep'), { bufferSize: 7 });
    let seen = 0;
    for await (const entry of dir) seen += entry.isFile();
    console.log(seen);
    await fsp.symlink('a', at('link'));
    console.log(await fsp.readlink(at('link')), (await fsp.lstat(at('link'))).isSymbolicLink(), path.basename(await fsp.realpath(at('link'))));
    await fsp.rename(at('a'), at('b'));
    await fsp.chmod(at('b'), 0o640);
    await fsp.utimes(at('b'), 1000, 2000.5);
    const stat = await fsp.stat(at('b'), { bigint: true });
    console.log((stat.mode & 0o777n).toString(8), stat.mtimeNs, stat.atimeNs, stat.nlink);
    await fsp.link(at('b'), at('hard'));
    console.log((await fsp.stat(at('b'))).nlink);
    await fsp.truncate(at('b'), 3);
    console.log(await fsp.readFile(at('b'), 'latin1'), typeof (await fsp.statfs(home)).bsize);
    const file = await fsp.open(at('b'), 'r+');
    await file.write(Buffer.from('XY'), 0, 2, 1);
    await file.writev([Buffer.from('1'), Buffer.from('2')], 5);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(10), 0, 10, 0);
    console.log(bytesRead, JSON.stringify(buffer.toString('latin1')));
    await file.datasync(); await file.sync(); await file.close();
    for (const [what, attempt] of Object.entries({
      open: () => fsp.open(at('none')), mkdir: () => fsp.mkdir(at('deep')), rmdir: () => fsp.rmdir(at('deep')),
      readdir: () => fsp.readdir(at('b')), readlink: () => fsp.readlink(at('b')), scan: () => fsp.opendir(at('none')),
      access: () => fsp.access(at('none')), unlink: () => fsp.unlink(at('none')), copy: () => fsp.copyFile(at('b'), at('big'), fs.constants.COPYFILE_EXCL),
    })) {
      await attempt().then(() => console.log(what, 'worked'), (error) => console.log(what, error.code, error.errno, error.syscall));
    }
    assert.throws(() => fs.readFileSync(at('none')), { code: 'ENOENT' });
    console.log(path.basename(await fsp.mkdtemp(at('temp-'))).length);
    await fsp.rm(at('deep'), { recursive: true });
    console.log(fs.existsSync(at('deep')), fs.readdirSync(home).filter((name) => !name.startsWith('temp')).sort().join());
    const stop = new AbortController();
    const reading = fsp.readFile(at('big'), { signal: stop.signal });
    stop.abort();
    console.log(await reading.catch((error) => error.name));
  },

  async watching() {
    const watcher = fs.watch(home);
    const names = new Set();
    watcher.on('change', (_, name) => names.add(name));
    await sleep(20);
    fs.writeFileSync(at('watched'), '1');
    fs.renameSync(at('watched'), at('renamed'));
    for (let i = 0; i < 200 && names.size < 2; i++) await sleep(10);
    watcher.close();
    console.log([...names].sort().join());
    const changes = [];
    fs.writeFileSync(at('polled'), 'x');
    await new Promise((done) => {
      fs.watchFile(at('polled'), { interval: 20 }, (now) => { changes.push(now.size); if (now.size === 0) done(); else fs.unlinkSync(at('polled')); });
      setTimeout(() => fs.writeFileSync(at('polled'), 'longer'), 400);
    });
    fs.unwatchFile(at('polled'));
    console.log(changes.join());
  },

  async children() {
    const { spawn, exec, execFile, fork, spawnSync, execFileSync } = require('child_process');
    const cat = spawn('cat');
    cat.stdin.end(pattern(500_000));
    const [copied, ended] = await Promise.all([body(cat.stdout), once(cat, 'exit')]);
    console.log(sha(copied), ended.join());
    const both = spawn('sh', ['-c', 'echo out; echo err >&2; exit 3'], { env: { PATH: process.env.PATH }, cwd: '/' });
    const [out, err, code] = await Promise.all([body(both.stdout), body(both.stderr), once(both, 'close')]);
    console.log(String(out).trim(), String(err).trim(), code.join());
    const sleeper = spawn('sleep', ['100']);
    await once(sleeper, 'spawn');
    sleeper.kill('SIGTERM');
    console.log((await once(sleeper, 'exit')).join());
    const [error] = await once(spawn(at('none')), 'error');
    console.log(error.code, error.syscall.replace(home, ''));
    console.log(await new Promise((done) => exec('pwd; echo $ONE', { cwd: '/usr', env: { ...process.env, ONE: 'two' } }, (_, text) => done(text.trim().replace('\n', ' ')))));
    console.log(await new Promise((done) => execFile('sleep', ['100'], { timeout: 30 }, (failure) => done(`${failure.killed} ${failure.signal}`))));
    console.log(execFileSync('sh', ['-c', 'cat'], { input: 'synchronous' }).toString());
    const failed = spawnSync('sh', ['-c', 'echo x; kill -9 $$']);
    console.log(failed.status, failed.signal, String(failed.stdout).trim());
    console.log(spawnSync('sleep', ['100'], { timeout: 30 }).error.code);
    console.log(spawnSync('yes', { maxBuffer: 1000 }).error.code);
    const results = await Promise.all(Array.from({ length: 30 }, async (_, i) => (await once(spawn('sh', ['-c', `exit ${i}`], { stdio: 'ignore' }), 'exit'))[0]));
    console.log(results.join());
    fs.writeFileSync(at('child.js'), `
      process.on('message', (message, handle) => {
        if (message === 'end') return process.disconnect();
        if (handle) return handle.end('served by the child');
        process.send({ back: message, pad: 'p'.repeat(100000) });
      });`);
    const child = fork(at('child.js'));
    child.send({ a: [1, 'zwei'] });
    const [reply] = await once(child, 'message');
    console.log(JSON.stringify(reply.back), reply.pad.length);
    const net = require('net');
    const server = net.createServer((socket) => child.send('socket', socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    console.log(String(await body(net.connect(server.address().port, '127.0.0.1'))));
    server.close();
    const gone = once(child, 'exit');
    child.send('end');
    console.log((await gone).join());
    const inherit = spawn('sh', ['-c', 'echo inherited'], { stdio: ['ignore', fs.openSync(at('inherited'), 'w'), 'inherit'], detached: true });
    await once(inherit, 'exit');
    console.log(fs.readFileSync(at('inherited'), 'utf8').trim());
  },

  async signals() {
    const seen = [];
    const note = (name) => seen.push(name);
    for (const name of ['SIGUSR2', 'SIGHUP', 'SIGWINCH']) process.on(name, note);
    for (const name of ['SIGHUP', 'SIGUSR2', 'SIGWINCH']) { process.kill(process.pid, name); while (!seen.includes(name)) await sleep(1); }
    console.log(seen.join());
    process.removeAllListeners('SIGUSR2');
  },

  async workers() {
    const { Worker, MessageChannel } = require('worker_threads');
    const code = `
      const { parentPort, workerData } = require('worker_threads');
      const fs = require('fs');
      parentPort.on('message', async (message) => {
        if (message === 'end') return parentPort.close();
        const text = await fs.promises.readFile(workerData.file, 'utf8');
        parentPort.postMessage([message, text.length, message.view && message.view.length]);
      });`;
    fs.writeFileSync(at('w'), 'w'.repeat(1234));
    const workers = Array.from({ length: 6 }, () => new Worker(code, { eval: true, workerData: { file: at('w') } }));
    const totals = await Promise.all(workers.map(async (worker, index) => {
      let sum = 0;
      for (let i = 0; i < 20; i++) { worker.postMessage({ n: i, view: new Uint8Array(index) }); sum += (await once(worker, 'message'))[0][1]; }
      const gone = once(worker, 'exit');
      worker.postMessage('end');
      return `${sum}/${(await gone)[0]}`;
    }));
    console.log(totals.join());
    const busy = new Worker('for (;;) ;', { eval: true });
    await once(busy, 'online');
    console.log('terminated', await busy.terminate());
    const bad = new Worker('setTimeout(() => { throw new Error("planted") }, 5)', { eval: true });
    console.log((await once(bad, 'error'))[0].message);
    const flags = new Int32Array(new SharedArrayBuffer(8));
    const waiter = new Worker('const f = require("worker_threads").workerData; Atomics.wait(f, 0, 0); Atomics.add(f, 1, 7);', { eval: true, workerData: flags });
    await once(waiter, 'online');
    const done = once(waiter, 'exit');
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
    await done;
    console.log(flags.join());
    const { port1, port2 } = new MessageChannel();
    port1.postMessage('through the channel');
    console.log((await once(port2, 'message'))[0]);
    port1.close();
  },

  async datagrams() {
    const dgram = require('dgram');
    for (const [kind, host] of [['udp4', '127.0.0.1'], ['udp6', '::1']]) {
      const server = dgram.createSocket(kind);
      server.on('message', (message, from) => server.send(message, from.port, from.address));
      server.bind(0, host);
      await once(server, 'listening');
      const client = dgram.createSocket({ type: kind, recvBufferSize: 100000 });
      client.connect(server.address().port, host);
      await once(client, 'connect');
      const sizes = [];
      for (const size of [0, 1, 512, 9000, 60000]) { client.send(pattern(size)); sizes.push((await once(client, 'message'))[0].length); }
      console.log(kind, sizes.join());
      console.log((await new Promise((done) => client.send(Buffer.alloc(70000), done))).code);
      client.setTTL(3);
      console.log(client.remoteAddress().address, client.getSendQueueSize(), client.getSendQueueCount());
      client.close(); server.close();
    }
  },

  async names() {
    const dns = require('dns').promises;
    console.log(JSON.stringify(await dns.lookup('127.0.0.1')), JSON.stringify(await dns.lookup('::1', { all: true })));
    console.log((await dns.lookup('localhost', { family: 4 })).address, (await dns.lookup('name.invalid').catch((error) => error)).code !== undefined);
    console.log((await dns.lookupService('127.0.0.1', 80)).service);
  },

  async work() {
    const crypto = require('crypto');
    const zlib = require('zlib');
    const { promisify } = require('util');
    const keys = await Promise.all(Array.from({ length: 12 }, (_, i) => promisify(crypto.pbkdf2)('secret', `salt ${i}`, 2000, 16, 'sha256')));
    console.log(sha(Buffer.concat(keys)), (await promisify(crypto.randomBytes)(20)).length);
    const packed = await promisify(zlib.gzip)(pattern(2_000_000));
    console.log((await promisify(zlib.gunzip)(packed)).equals(pattern(2_000_000)));
    console.log(crypto.webcrypto ? Buffer.from(await crypto.webcrypto.subtle.digest('SHA-1', pattern(10))).toString('hex').slice(0, 8) : '');
  },

  async cluster() {
    const { fork } = require('child_process');
    fs.writeFileSync(at('cluster.js'), `
      const cluster = require('cluster');
      const http = require('http');
      const net = require('net');
      cluster.schedulingPolicy = process.argv[2] === 'shared' ? cluster.SCHED_NONE : cluster.SCHED_RR;
      if (cluster.isPrimary) {
        const workers = [cluster.fork(), cluster.fork(), cluster.fork()];
        let listening = 0;
        cluster.on('listening', async (_, address) => {
          if (++listening < 3) return;
          const answers = await Promise.all(Array.from({ length: 60 }, () => new Promise((done) => {
            http.get({ port: address.port, host: '127.0.0.1', agent: false }, (r) => { let t = ''; r.on('data', (d) => t += d); r.on('end', () => done(t)); });
          })));
          process.send(answers.filter((answer) => /^worker \\d$/.test(answer)).length);
          cluster.disconnect(() => process.disconnect());
        });
      } else http.createServer((_, response) => response.end('worker ' + cluster.worker.id)).listen(0, '127.0.0.1');`);
    for (const kind of ['shared', 'turns']) {
      const primary = fork(at('cluster.js'), [kind]);
      const gone = once(primary, 'exit');
      console.log(kind, (await once(primary, 'message'))[0], (await gone).join());
    }
  },

  async system() {
    console.log(os.cpus().length, os.availableParallelism(), os.totalmem() > 0, os.freemem() > 0, os.loadavg().length, os.uptime() > 0);
    console.log(os.hostname().length > 0, os.type(), os.machine(), os.userInfo().username, Object.keys(os.networkInterfaces()).join());
    console.log(os.networkInterfaces().lo.map((one) => `${one.cidr} ${one.mac} ${one.internal}`).join());
    process.title = 'renamed';
    console.log(process.title, fs.readFileSync('/proc/self/comm', 'utf8').trim(), fs.readFileSync('/proc/self/cmdline', 'latin1').split('\0')[0]);
    console.log(process.memoryUsage().rss > 1e6, process.resourceUsage().maxRSS > 1000, process.hrtime.bigint() > 0n, process.constrainedMemory() >= 0);
    os.setPriority(0, 5);
    console.log(os.getPriority(), process.cwd() === fs.realpathSync('.'), process.umask().toString(8), process.ppid > 0);
    process.chdir('/');
    console.log(process.cwd(), (() => { try { process.chdir(at('none')); } catch (error) { return error.code; } })());
    try { process.kill(1 << 22 | 12345, 0); } catch (error) { console.log(error.code, error.syscall); }
    const { monitorEventLoopDelay, performance } = require('perf_hooks');
    const delay = monitorEventLoopDelay({ resolution: 2 });
    delay.enable();
    await sleep(30);
    delay.disable();
    console.log(delay.max > 0, performance.eventLoopUtilization().idle > 0, performance.nodeTiming.idleTime > 0);
  },

  async tls() {
    const tls = require('tls');
    const server = tls.createServer({ pskCallback: () => Buffer.from('0123456789abcdef'), ciphers: 'PSK-AES128-GCM-SHA256', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }, (socket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = tls.connect({ port: server.address().port, host: '127.0.0.1', ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2', pskCallback: () => ({ psk: Buffer.from('0123456789abcdef'), identity: 'me' }), checkServerIdentity: () => undefined });
    await once(client, 'secureConnect');
    client.end(pattern(400_000));
    console.log(client.getProtocol(), sha(await body(client)));
    server.close();
  },
};

console.log(`library: ${/\/\S*libuv\S*/.exec(fs.readFileSync('/proc/self/maps', 'utf8'))[0]}`);
(async () => {
  const wanted = process.argv.slice(2);
  for (const [name, section] of Object.entries(sections)) {
    if (wanted.length && !wanted.includes(name)) continue;
    console.log(`== ${name}`);
    await section();
  }
  fs.rmSync(home, { recursive: true });
  console.log('end');
})().catch((error) => { console.log('FAILED', error); process.exit(1); });
