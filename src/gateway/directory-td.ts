/**
 * The Thing Description of the directory that a gateway is.
 * Relies on the directory's Thing Model of WoT Discovery, of which it has the reading parts.
 */
import type { PeerId } from '../core/ids.ts';
import type { DataSchema, EventAffordance, ThingDescription } from '../thing/thing-description.ts';
import { type HttpAccess, httpSecurity } from './http-forms.ts';

/** The TD of the directory (WoT Discovery, section 7.3.3). */
export const directoryTd = (peer: PeerId, access: HttpAccess): ThingDescription => {
  const security = httpSecurity(access.scheme);
  return {
    '@context': ['https://www.w3.org/2022/wot/td/v1.1', 'https://www.w3.org/2022/wot/discovery'],
    '@type': 'ThingDirectory',
    id: `urn:althing:${peer}`,
    title: 'Althing directory',
    base: `${access.base}/`,
    securityDefinitions: { [security.name]: security.definition },
    security: [security.name],
    properties: {
      things: {
        description: 'The Thing Descriptions of the whole fabric',
        readOnly: true,
        type: 'array',
        items: { type: 'object' },
        uriVariables: listVariables,
        forms: [
          {
            op: ['readproperty'],
            href: `things{?${Object.keys(listVariables).join(',')}}`,
            contentType: 'application/ld+json',
            'htv:methodName': 'GET',
          },
        ],
      },
    },
    actions: {
      retrieveThing: {
        description: 'Retrieve a Thing Description',
        uriVariables: { id: { '@type': 'ThingID', type: 'string', format: 'iri-reference' } },
        output: { type: 'object' },
        safe: true,
        idempotent: true,
        synchronous: true,
        forms: [
          {
            op: ['invokeaction'],
            href: 'things/{id}',
            'htv:methodName': 'GET',
            response: { contentType: 'application/td+json' },
          },
        ],
      },
    },
    events: {
      thingCreated: changeEvent('A Thing came to the fabric', 'thing_created'),
      thingUpdated: changeEvent("A Thing's description changed", 'thing_updated'),
      thingDeleted: changeEvent('A Thing left the fabric', 'thing_deleted'),
    },
  };
};

const listVariables: Record<string, DataSchema> = {
  offset: { title: 'Number of TDs to skip', type: 'integer', minimum: 0, default: 0 },
  limit: { title: 'Number of TDs in a page', type: 'integer', minimum: 1 },
  format: { title: 'Payload format', type: 'string', enum: ['array', 'collection'], default: 'array' },
  type: { title: 'Only Things of this @type', type: 'string' },
  q: { title: 'Only Things with this text in id, title or @type', type: 'string' },
  room: { title: 'Only Things in this room', type: 'string' },
};

const changeEvent = (description: string, type: string): EventAffordance => ({
  description,
  data: { type: 'object', properties: { id: { type: 'string' } } },
  forms: [
    {
      op: ['subscribeevent', 'unsubscribeevent'],
      href: `events/${type}`,
      subprotocol: 'sse',
      contentType: 'application/json',
    },
  ],
});
