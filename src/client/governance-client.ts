/**
 * The part of the client about governing a fabric: a method a route.
 * Relies on the client that makes it for the exchange itself.
 */
import type { Role } from '../core/api-shapes.ts';
import type {
  GrantInfo,
  GrantRequest,
  InviteEntry,
  LabelInfo,
  LabelRequest,
  LeaveInfo,
  MemberInfo,
  RecoverInfo,
  RecoverRequest,
  ReplacementInfo,
  RestrictionInfo,
  RevocationInfo,
  RoleInfo,
} from '../core/governance-shapes.ts';

/** One exchange with the gateway. Throws what it answers. */
export type Exchange = (method: 'GET' | 'PUT' | 'POST', path: string, body?: unknown) => Promise<unknown>;

/** `before`: RFC 3339; nothing that the admin said from then on stands. */
export interface Cut {
  readonly before?: string;
}

/** Governs the fabric of a gateway. Every method throws as those of `GatewayClient` do. */
export class GovernanceClient {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  members({ all = false }: { all?: boolean } = {}): Promise<MemberInfo[]> {
    return this.#ask('GET', all ? '/members?all=true' : '/members');
  }

  invites(): Promise<InviteEntry[]> {
    return this.#ask('GET', '/invites');
  }

  grants(): Promise<GrantInfo[]> {
    return this.#ask('GET', '/grants');
  }

  grant(request: GrantRequest): Promise<GrantInfo> {
    return this.#ask('POST', '/grants', request);
  }

  /** Throws `not-admin`, `thing-unknown`, `name-ambiguous`, `bad-input`. */
  rename(target: string, request: LabelRequest): Promise<LabelInfo> {
    return this.#ask('PUT', `/labels/${encodeURIComponent(target)}`, request);
  }

  restrict(thing: string, restricted: boolean): Promise<RestrictionInfo> {
    return this.#ask('PUT', `/restrictions/${encodeURIComponent(thing)}`, { restricted });
  }

  setRole(peer: string, role: Role, cut: Cut = {}): Promise<RoleInfo> {
    return this.#ask('PUT', `/members/${encodeURIComponent(peer)}/role`, { role, ...cut });
  }

  revoke(subject: string, cut: Cut = {}): Promise<RevocationInfo> {
    return this.#ask('POST', '/revocations', { subject, ...cut });
  }

  replace(old: string, by?: string): Promise<ReplacementInfo> {
    return this.#ask('POST', '/replacements', { old, ...(by !== undefined && { new: by }) });
  }

  recover(request: RecoverRequest): Promise<RecoverInfo> {
    return this.#ask('POST', '/recover', request);
  }

  leave({ confirm = false }: { confirm?: boolean } = {}): Promise<LeaveInfo> {
    return this.#ask('POST', '/leave', { confirm });
  }

  async #ask<T>(method: 'GET' | 'PUT' | 'POST', path: string, body?: unknown): Promise<T> {
    return (await this.#exchange(method, path, body)) as T;
  }
}
