/**
 * Gathers what `althing doctor` looks at, from the parts of a running peer.
 * Relies on each part telling what it knows; what follows from it is `diagnosis.ts`'s.
 */
import type { DoctorReport, PeerInfo } from '../core/api-shapes.ts';
import type { Home } from '../store/home.ts';
import { checkHome } from '../store/home-check.ts';
import type { StoreState } from '../store/store-health.ts';
import { diagnose } from './diagnosis.ts';
import type { FabricRun } from './fabric-run.ts';

export interface DoctorSources {
  readonly home: Home;
  readonly peers: () => PeerInfo[];
  readonly addresses: readonly string[];
  readonly announces: boolean;
  readonly storage: StoreState;
}

/** Looks at everything once. Throws `disk-failed` where the home cannot be looked at. */
export const examine = async (run: FabricRun, sources: DoctorSources): Promise<DoctorReport> => {
  const { home, addresses, announces, storage } = sources;
  const { freeBytes, ...files } = await checkHome(home);
  const { replica, time } = run;
  const { authority, self } = replica;
  const frauds = new Set(replica.frauds().map(({ authorId }) => authorId));
  const nowMs = Date.now();
  return diagnose({
    nowMs,
    self,
    gone: authority.gone.get(self),
    clock: { offsetMs: -(time.offsetMs ?? 0), known: time.timeKnown() },
    disk: { freeBytes: freeBytes ?? null, failure: storage.ok ? undefined : storage },
    files,
    network: { addresses, announces },
    members: sources.peers(),
    admins: authority.admins.size,
    unconfirmed: authority.unconfirmed.map(({ peer }) => peer),
    proposals: authority.adminSets.open,
    frauds: [...frauds],
    ownFraud: frauds.has(self),
    quarantined: replica
      .quarantined()
      .map(({ peer, untilMs }) => ({ author: peer, untilMs: untilMs ?? nowMs })),
    overQuota: [...new Set(replica.overQuota().map(({ peer }) => peer))],
    withheld: run.withheld(),
  });
};
