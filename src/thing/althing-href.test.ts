import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { peerIdOf } from '../core/ids.ts';
import { type AlthingAddress, affordanceKinds, althingHref, parseAlthingHref } from './althing-href.ts';

const peer = peerIdOf(new Uint8Array(32).fill(1));

test('an address is written as documented', () => {
  const href = althingHref({ peer, name: 'hall-lamp', kind: 'properties', affordance: 'über/an' });
  assert.equal(href, `althing://${peer}/things/hall-lamp/properties/%C3%BCber%2Fan`);
});

test('every address survives being written and read', () => {
  const name = fc.string({ minLength: 1, unit: 'grapheme' });
  const addresses = fc.oneof(
    fc.record({ peer: fc.constant(peer), name }),
    fc.record({ peer: fc.constant(peer), name, kind: fc.constantFrom(...affordanceKinds) }),
    fc.record({ peer: fc.constant(peer), name, kind: fc.constantFrom(...affordanceKinds), affordance: name }),
  );
  fc.assert(
    fc.property(addresses, (address: AlthingAddress) => {
      assert.deepEqual(parseAlthingHref(althingHref(address)), { ...address });
    }),
  );
});

test('a URI template is not part of the address', () => {
  const href = `${althingHref({ peer, name: 'lamp', kind: 'actions', affordance: 'add' })}{?a,b}`;
  assert.deepEqual(parseAlthingHref(href), { peer, name: 'lamp', kind: 'actions', affordance: 'add' });
});

test('anything else is no address', () => {
  for (const href of [
    `http://${peer}/things/lamp`,
    'althing://someone/things/lamp',
    `althing://${peer}/lamp`,
    `althing://${peer}/things/`,
    `althing://${peer}/things/lamp/forms`,
    `althing://${peer}/things/lamp/events/`,
    `althing://${peer}/things/lamp/events/a/b`,
    `althing://${peer}/things/%E0`,
  ])
    assert.equal(parseAlthingHref(href), undefined, href);
});
