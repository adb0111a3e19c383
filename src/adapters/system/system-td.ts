/**
 * The Thing Description of a computer, out of what was found on it.
 * Relies on TD 1.1; `produce` adds id, forms and security.
 */
import { arch, platform, release } from 'node:os';
import type { PartialThingDescription } from '../../thing/thing-description.ts';
import type { SystemSource } from './system-source.ts';

/** The TD of a computer of this name: a property for everything that it has, and for nothing else. */
export const systemDescription = (
  name: string,
  sources: readonly SystemSource[],
): PartialThingDescription => {
  const properties = sources.flatMap((source) => source.properties);
  return {
    '@context': ['https://www.w3.org/2022/wot/td/v1.1', { saref: 'https://saref.etsi.org/core/' }],
    '@type': ['Computer', 'saref:Device'],
    title: name,
    description: `The computer ${name} (${platform()} ${release()}, ${arch()}). Units are UCUM codes.`,
    properties: Object.fromEntries(properties.map((property) => [property.name, property.affordance])),
  };
};
