/**
 * `althing describe`: what a Thing offers, as its Thing Description or as a page for people.
 * Relies on the running peer's gateway.
 */
import type { Affordance, DataSchema, ThingDescription } from '../thing/thing-description.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ args, home, out }) => {
  const client = clientOf(home);
  const td = await client.resolve(args[0]!);
  const known = out.json ? [] : await client.things({ query: td.id });
  const label = known.find(({ id }) => id === td.id);
  out.answer(td, () => page(td, label?.name, label?.room));
  out.note('\nThe whole Thing Description: --json');
};

const page = (td: ThingDescription, name = td.title, room?: string): string => {
  const place = room === undefined ? [] : [`in the room ${room}`];
  const head = [name, td.id, ...place, ...(td.description ? ['', td.description] : [])];
  const sections = [
    section('PROPERTY', td.properties, (property) => [schemaOf(property), usesOf(property)]),
    section('ACTION', td.actions, ({ input, output }) => [
      input ? `takes ${schemaOf(input as DataSchema)}` : '',
      output ? `gives ${schemaOf(output as DataSchema)}` : '',
    ]),
    section('EVENT', td.events, ({ data }) => [data ? schemaOf(data as DataSchema) : '', '']),
  ].filter((text) => text !== '');
  return [...head, ...sections.flatMap((text) => ['', text])].join('\n');
};

const section = (
  heading: string,
  affordances: Readonly<Record<string, Affordance>> | undefined,
  columns: (affordance: Affordance) => [string, string],
): string => {
  const entries = Object.entries(affordances ?? {});
  if (entries.length === 0) return '';
  return table(
    [heading, '', '', ''],
    entries.map(([name, affordance]) => [
      name,
      ...columns(affordance).map((cell) => cell || ' '),
      affordance.description ?? affordance.title ?? ' ',
    ]),
  );
};

const usesOf = ({ readOnly, writeOnly, observable }: Affordance): string =>
  [!writeOnly && 'read', !readOnly && 'write', observable && 'observe'].filter(Boolean).join(', ');

/** A DataSchema in a few words: `number 0..100 %`, `string on|off`, `object {to, over}`. */
const schemaOf = (schema: DataSchema): string => {
  const { type, minimum, maximum, unit, properties, items } = schema;
  const words = [typeof type === 'string' ? type : 'any'];
  if (Array.isArray(schema.enum)) words.push(schema.enum.map(String).join('|'));
  if (minimum !== undefined || maximum !== undefined) words.push(`${minimum ?? ''}..${maximum ?? ''}`);
  if (typeof unit === 'string') words.push(unit);
  if (typeof properties === 'object' && properties !== null)
    words.push(`{${Object.keys(properties).join(', ')}}`);
  if (typeof items === 'object' && items !== null && !Array.isArray(items))
    words.push(`of ${schemaOf(items as DataSchema)}`);
  return words.join(' ');
};
