// Contacts over HTTP.
import { z } from 'zod';
import { pageOf } from '../../src/lists.ts';
import {
  addContact,
  changeContact,
  contactChange,
  contactInput,
  contactQuery,
  contactShape,
  contacts,
  readContact,
} from '../../src/people/contacts.ts';
import { eraseContact } from '../../src/people/erasure.ts';
import { identitiesOf, identityShape } from '../../src/people/identities.ts';
import { mergeContact, mergeInput, unmergeContact } from '../../src/people/merging.ts';
import { byId } from './params.ts';
import { type Route, route } from './route.ts';

const tag = 'Contacts';
const at = '/api/v1/contacts';
const nothing = z.strictObject({});

export const contactRoutes: Route[] = [
  route({
    method: 'get',
    path: at,
    tag,
    summary: 'People who write in and do not sign in',
    deed: 'people.read',
    query: contactQuery,
    answer: pageOf(contactShape),
    run: ({ ctx, query }) => contacts(ctx, query),
  }),
  route({
    method: 'post',
    path: at,
    tag,
    summary: 'Add a contact',
    deed: 'contact.manage',
    status: 201,
    body: contactInput,
    answer: contactShape,
    refuses: [409],
    run: ({ ctx, body }) => addContact(ctx, body),
  }),
  route({
    method: 'get',
    path: `${at}/{id}`,
    tag,
    summary: 'A contact, and the accounts elsewhere that are theirs',
    deed: 'people.read',
    params: byId,
    answer: contactShape.extend({ identities: z.array(identityShape) }),
    run: async ({ ctx, params }) => ({
      ...(await readContact(ctx, params.id)),
      identities: await identitiesOf(ctx, params.id),
    }),
  }),
  route({
    method: 'patch',
    path: `${at}/{id}`,
    tag,
    summary: 'Change a contact',
    deed: 'contact.manage',
    params: byId,
    body: contactChange,
    answer: contactShape,
    refuses: [409],
    run: ({ ctx, params, body }) => changeContact(ctx, params.id, body),
  }),
  route({
    method: 'delete',
    path: `${at}/{id}`,
    tag,
    summary: 'Remove a contact: the same as erasing them',
    deed: 'contact.erase',
    params: byId,
    refuses: [409],
    run: async ({ ctx, params }) => void (await eraseContact(ctx, params.id)),
  }),
  route({
    method: 'post',
    path: `${at}/{id}/merge`,
    tag,
    summary: 'The same person as another contact: addresses, identities and tickets move there',
    deed: 'contact.manage',
    params: byId,
    body: mergeInput,
    answer: contactShape,
    refuses: [404, 409],
    run: ({ ctx, params, body }) => mergeContact(ctx, params.id, body.into),
  }),
  route({
    method: 'post',
    path: `${at}/{id}/unmerge`,
    tag,
    summary: 'Not the same person after all: what the merge moved goes back',
    deed: 'contact.manage',
    params: byId,
    body: nothing,
    answer: contactShape,
    refuses: [409],
    run: ({ ctx, params }) => unmergeContact(ctx, params.id),
  }),
  route({
    method: 'post',
    path: `${at}/{id}/erase`,
    tag,
    summary: 'Take the person out of everything that is kept; the tickets stay',
    deed: 'contact.erase',
    params: byId,
    body: nothing,
    answer: contactShape,
    refuses: [409],
    run: ({ ctx, params }) => eraseContact(ctx, params.id),
  }),
];
