// A user as others may see them: never the password.
import { z } from 'zod';
import { ROLES } from './access.ts';
import type { Member } from './members.ts';

export const userShape = z
  .object({
    id: z.string(),
    email: z.string(),
    username: z.string(),
    fullName: z.string().nullable(),
    phoneNumber: z.string().nullable(),
    role: z.enum(ROLES),
    companyId: z.string(),
    teamIds: z.array(z.string()),
    skills: z.array(z.string()),
    timeZone: z.string().nullable(),
    active: z.boolean(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .meta({ id: 'User' });
export type ShownUser = z.output<typeof userShape>;

export const drawUser = (user: Omit<Member, 'tokensSince'>): ShownUser => ({
  id: user.id,
  email: user.email,
  username: user.username,
  fullName: user.fullName,
  phoneNumber: user.phoneNumber,
  role: user.role,
  companyId: user.company,
  teamIds: user.teams,
  skills: user.skills,
  timeZone: user.timeZone,
  active: user.active,
  createdAt: user.createdAt,
  updatedAt: user.updatedAt,
});
