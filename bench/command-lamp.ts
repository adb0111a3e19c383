/**
 * The device of the command bench: a peer that exposes a lamp in its own process.
 * Relies on `createPeer` as programs that embed Althing use it; on loopback, without discovery.
 */
import { createPeer } from '../src/peer/create-peer.ts';
import { cpuMicroseconds } from './command-messages.ts';

const [home = ''] = process.argv.slice(2);
const peer = await createPeer({ home, name: 'device', listen: '127.0.0.1:0', mdns: false });
const lamp = await peer.wot.produce({
  title: 'Lamp',
  '@type': 'Light',
  properties: { on: { type: 'boolean', observable: true } },
});
let on = false;
lamp.setPropertyReadHandler('on', async () => on);
lamp.setPropertyWriteHandler('on', async (input) => {
  on = (await input.value()) as boolean;
});
await lamp.expose();

process.on('message', async (question) => {
  if (question === 'invite') process.send!((await peer.invite({ role: 'member', uses: 1 })).ticket);
  else process.send!(cpuMicroseconds());
});
process.send!('ready');
