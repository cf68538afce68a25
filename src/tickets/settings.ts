// What the installation decides about tickets: said once by main, which alone reads the configuration.

export interface TicketSettings {
  /** A closed ticket may be reopened for so many days. */
  reopenWindowDays: number;
  /** Somebody acts on a ticket because it is there, not because something happens on it (rules of time). */
  isFollowed?: (company: string) => Promise<boolean>;
}

let settings: TicketSettings = { reopenWindowDays: 7 };

export function useTicketSettings(given: TicketSettings): void {
  settings = given;
}
export const ticketSettings = (): TicketSettings => settings;
