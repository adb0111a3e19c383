/**
 * Adds to a TD what makes it usable over this gateway: base, security and HTTP forms beside the `althing:` ones.
 * Relies on nothing but the TD; follows the WoT Profile (HTTP Basic, HTTP SSE) and the HTTP binding's terms.
 */
import type {
  ActionAffordance,
  Affordance,
  EventAffordance,
  Form,
  PropertyAffordance,
  ThingDescription,
} from '../thing/thing-description.ts';

/** Where and how a TD's reader reaches the gateway. */
export interface HttpAccess {
  /** Absolute URL of the gateway without a final slash. */
  readonly base: string;
  readonly scheme: 'bearer' | 'nosec';
}

/** A path segment; colons stay, so that Thing ids remain readable. */
export const segment = (text: string): string => encodeURIComponent(text).replaceAll('%3A', ':');

/** The path of a Thing, or of something below it. */
export const thingPath = (thing: string, ...below: string[]): string =>
  ['/things', segment(thing), ...below.map(segment)].join('/');

/** The security definition that HTTP forms use, by its name. */
export const httpSecurity = (scheme: HttpAccess['scheme']) =>
  scheme === 'bearer'
    ? ({
        name: 'althing_bearer',
        definition: { scheme: 'bearer', in: 'header', name: 'Authorization' },
      } as const)
    : ({ name: 'althing_nosec', definition: { scheme: 'nosec' } } as const);

/** The TD with HTTP forms. Forms that it had keep the security that they had. */
export const withHttpForms = (td: ThingDescription, access: HttpAccess): ThingDescription => {
  const security = httpSecurity(access.scheme);
  const own = (forms: readonly Form[] | undefined): Form[] =>
    (forms ?? []).map((form) => (form.security === undefined ? { ...form, security: td.security } : form));
  const extend = <A extends Affordance>(
    affordances: Readonly<Record<string, A>> | undefined,
    formsOf: (affordance: A, name: string) => Form[],
  ): Record<string, A> =>
    Object.fromEntries(
      Object.entries(affordances ?? {}).map(([name, affordance]) => [
        name,
        { ...affordance, forms: [...own(affordance.forms), ...formsOf(affordance, name)] },
      ]),
    );
  return {
    ...td,
    base: `${access.base}${thingPath(td.id)}/`,
    securityDefinitions: { ...td.securityDefinitions, [security.name]: security.definition },
    security: [security.name],
    ...(td.properties && {
      properties: extend(td.properties, (property, name) => propertyForms(property, name, access)),
    }),
    ...(td.actions && { actions: extend(td.actions, actionForms) }),
    ...(td.events && { events: extend(td.events, (event, name) => eventForms(event, name, access)) }),
    forms: [...own(td.forms), ...thingForms(td)],
  };
};

const propertyForms = (property: PropertyAffordance, name: string, access: HttpAccess): Form[] => {
  const path = `properties/${segment(name)}`;
  const query = queryTemplate(property);
  const contentType = contentTypeOf(property);
  const forms: Form[] = [];
  if (!property.writeOnly)
    forms.push({ op: ['readproperty'], href: path + query, contentType, 'htv:methodName': 'GET' });
  if (!property.readOnly)
    forms.push({ op: ['writeproperty'], href: path + query, contentType, 'htv:methodName': 'PUT' });
  if (property.observable && !property.writeOnly)
    forms.push(...streamForms(['observeproperty', 'unobserveproperty'], path, query, contentType, access));
  return forms;
};

const actionForms = (action: ActionAffordance, name: string): Form[] => [
  {
    op: ['invokeaction'],
    href: `actions/${segment(name)}${queryTemplate(action)}`,
    contentType: contentTypeOf(action),
    'htv:methodName': 'POST',
  },
];

const eventForms = (event: EventAffordance, name: string, access: HttpAccess): Form[] =>
  streamForms(
    ['subscribeevent', 'unsubscribeevent'],
    `events/${segment(name)}`,
    queryTemplate(event),
    contentTypeOf(event),
    access,
  );

/**
 * SSE and long polling. Where a token is needed, long polling comes first: clients built on EventSource cannot send
 * one, and the first form that fits is the one that they take. No method on it: clients open it with a HEAD.
 */
const streamForms = (
  op: string[],
  path: string,
  query: string,
  contentType: string,
  access: HttpAccess,
): Form[] => {
  const sse: Form = { op, href: path + query, contentType, subprotocol: 'sse', 'htv:methodName': 'GET' };
  const poll: Form = { op, href: `${path}/next${query}`, contentType, subprotocol: 'longpoll' };
  return access.scheme === 'bearer' ? [poll, sse] : [sse, poll];
};

const thingForms = (td: ThingDescription): Form[] => {
  const properties = Object.values(td.properties ?? {});
  const common = { href: 'properties', contentType: 'application/json' };
  const forms: Form[] = [];
  if (properties.some((property) => !property.writeOnly))
    forms.push({ op: ['readallproperties'], ...common, 'htv:methodName': 'GET' });
  if (properties.some((property) => !property.readOnly))
    forms.push({ op: ['writemultipleproperties'], ...common, 'htv:methodName': 'PUT' });
  return forms;
};

/** The media type that the device declares, JSON by default. */
export const contentTypeOf = (affordance: Affordance): string => {
  const declared = affordance.forms?.find((form) => typeof form.contentType === 'string')?.contentType;
  return typeof declared === 'string' ? declared : 'application/json';
};

/** `{?a,b}` (RFC 6570, section 3.2.8) for the affordance's uriVariables. */
const queryTemplate = (affordance: Affordance): string => {
  const names = Object.keys(affordance.uriVariables ?? {});
  return names.length === 0 ? '' : `{?${names.map(encodeURIComponent).join(',')}}`;
};
