/**
 * A ticket as a QR code for a terminal.
 * Relies on `uqr`, loaded only when something is drawn.
 */
import type { Output } from './output.ts';

/** Shows the code beside the answer, where a person looks at it. */
export const showQrCode = async (ticket: string, out: Output): Promise<void> => {
  if (!out.isTerminal || out.json) return;
  const { renderUnicodeCompact } = await import('uqr');
  out.note(renderUnicodeCompact(ticket));
};
