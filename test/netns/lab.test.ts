/**
 * What is promised of the network-namespace lab itself: networks that are apart stay apart, and nothing is left behind.
 * Relies on root, iproute2 and nftables; without them the tests are skipped, and say so.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { Host } from '../../src/testing/netns-lab.ts';
import { canUseNetns, createLab } from '../../src/testing/netns-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const supported = async (t: TestContext): Promise<boolean> => {
  const support = await canUseNetns({ nft: true });
  if (support.ok) return true;
  console.error(`SKIPPED "${t.name}": ${support.reason}`);
  t.skip(support.reason);
  return false;
};

/** Whether a TCP connection from one host to a listener on another opens; the listener says whom it sees. */
const seenAs = async (client: Host, server: Host, address: string): Promise<string> => {
  const listen = `require('node:net').createServer((s) => { console.log(s.remoteAddress); process.exit(0); })
    .listen(7000, '${address}', () => console.log('listening'))`;
  const dial = `require('node:net').connect({ host: '${address}', port: 7000, timeout: 1000 })
    .on('connect', () => process.exit(0)).on('error', () => process.exit(1)).on('timeout', () => process.exit(1))`;
  const listener = server.spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(listener, 'close');
  let said = '';
  listener.stdout?.on('data', (text) => {
    said += text;
  });
  await waitFor(() => said.startsWith('listening'), { what: 'the listener' });
  try {
    await client.exec(process.execPath, ['-e', dial]);
    await closed;
    return said.split('\n')[1] ?? '';
  } catch {
    // The client could not connect: that is the answer.
    listener.kill('SIGKILL');
    return 'nobody';
  }
};

test('hosts on one switch reach each other, hosts on two do so only through a router', async (t) => {
  if (!(await supported(t))) return;
  const lab = await createLab();
  t.after(() => lab.close());
  const [s1, s2] = [await lab.switch('s1'), await lab.switch('s2')];
  const [a, b, c, r] = [await lab.host('a'), await lab.host('b'), await lab.host('c'), await lab.router('r')];
  await lab.connect(a, s1, '10.1.0.1/24');
  await lab.connect(b, s1, '10.1.0.2/24');
  await lab.connect(c, s2, '10.2.0.1/24');
  assert.equal(await a.ip('route', 'show', 'default'), '', 'no default route unless asked for');
  assert.equal(await seenAs(a, b, '10.1.0.2'), '10.1.0.1');
  assert.equal(await seenAs(a, c, '10.2.0.1'), 'nobody');

  await lab.connect(r, s1, '10.1.0.254/24');
  await lab.connect(r, s2, '10.2.0.254/24');
  await a.defaultRoute('10.1.0.254');
  await c.defaultRoute('10.2.0.254');
  assert.equal(await seenAs(a, c, '10.2.0.1'), '10.1.0.1');
});

test('a NAT hides who is behind it and lets nobody in', async (t) => {
  if (!(await supported(t))) return;
  const lab = await createLab();
  t.after(() => lab.close());
  const [home, internet] = [await lab.switch('home'), await lab.switch('internet')];
  const [a, far, nat] = [await lab.host('a'), await lab.host('far'), await lab.router('nat')];
  await lab.connect(a, home, '192.168.1.2/24');
  await lab.connect(nat, home, '192.168.1.1/24');
  const outside = await lab.connect(nat, internet, '203.0.113.1/24');
  await lab.connect(far, internet, '203.0.113.9/24');
  await nat.nat(outside);
  await a.defaultRoute('192.168.1.1');
  await far.defaultRoute('203.0.113.1');
  assert.equal(await seenAs(a, far, '203.0.113.9'), '203.0.113.1');
  assert.equal(await seenAs(far, a, '192.168.1.2'), 'nobody');
});

test('a pulled cable takes the carrier from the host and leaves it its address', async (t) => {
  if (!(await supported(t))) return;
  const lab = await createLab();
  t.after(() => lab.close());
  const a = await lab.host('a');
  const cable = await lab.connect(a, await lab.switch('s1'), '10.1.0.1/24');
  const state = () => a.ip('address', 'show', 'dev', cable.device);
  await waitFor(async () => (await state()).includes('state UP'), { what: 'the carrier' });
  await cable.unplug();
  await waitFor(async () => !(await state()).includes('state UP'), { what: 'the carrier to go' });
  assert.match(await state(), /10\.1\.0\.1\/24/);
  await cable.plug();
  await waitFor(async () => (await state()).includes('state UP'), { what: 'the carrier to return' });
});

test('a lab that is closed leaves no process and no namespace', async (t) => {
  if (!(await supported(t))) return;
  const lab = await createLab();
  const a = await lab.host('a');
  const child = a.spawn('sleep', ['1000'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  await lab.close();
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  assert.ok(!String(spawnSync('ip', ['netns', 'list']).stdout).includes(a.namespace));
});

test('what a killed lab left behind is removed by the next one', async (t) => {
  if (!(await supported(t))) return;
  const module = new URL('../../src/testing/netns-lab.ts', import.meta.url).href;
  const script = `import { createLab } from ${JSON.stringify(module)};
    const a = await (await createLab()).host('left');
    a.spawn('sleep', ['1000'], { stdio: 'ignore' });
    process.stdout.write(a.namespace, () => process.kill(process.pid, 'SIGKILL'));`;
  const killed = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  const namespace = String(killed.stdout);
  assert.match(namespace, /^al\d+-\d+-left$/, String(killed.stderr));
  const listed = () => String(spawnSync('ip', ['netns', 'list']).stdout);
  assert.ok(listed().includes(namespace));
  const lab = await createLab();
  t.after(() => lab.close());
  assert.ok(!listed().includes(namespace));
});
