// The table of all routes. The server, the OpenAPI document and the access tests read it.
import { attachmentRoutes } from './attachments.ts';
import { authRoutes } from './auth.ts';
import { commentRoutes } from './comments.ts';
import { companyRoutes } from './companies.ts';
import { contactRoutes } from './contacts.ts';
import { deliveryRoutes } from './deliveries.ts';
import { deskRoutes } from './desks.ts';
import { identityRoutes } from './identities.ts';
import { keyRoutes } from './keys.ts';
import { logRoutes } from './log.ts';
import { notificationRoutes } from './notifications.ts';
import { openApi } from './openapi.ts';
import { type Operations, operationRoutes } from './operations.ts';
import { peopleRoutes } from './people.ts';
import { placeRoutes } from './places.ts';
import { type Route, route } from './route.ts';
import { routingRoutes } from './routing.ts';
import { slaRoutes } from './sla.ts';
import { teamRoutes } from './teams.ts';
import { deedRoutes } from './ticket-deeds.ts';
import { listRoutes } from './ticket-lists.ts';
import { readingRoutes } from './ticket-reading.ts';
import { ticketRoutes } from './tickets.ts';
import { transferRoutes } from './transfer.ts';
import { workflowRoutes } from './workflows.ts';

export function allRoutes(operations: Operations, others: readonly Route[] = []): Route[] {
  const { config } = operations;
  const routes: Route[] = [
    ...operationRoutes(operations),
    ...authRoutes(config),
    ...peopleRoutes,
    ...companyRoutes,
    ...teamRoutes,
    ...keyRoutes,
    ...identityRoutes,
    ...contactRoutes,
    ...deskRoutes,
    ...placeRoutes,
    ...listRoutes,
    ...attachmentRoutes(config),
    ...transferRoutes,
    ...ticketRoutes,
    ...readingRoutes,
    ...slaRoutes,
    ...routingRoutes,
    ...deedRoutes,
    ...commentRoutes,
    ...logRoutes,
    ...deliveryRoutes,
    ...notificationRoutes,
    ...workflowRoutes,
    ...others,
  ];
  let document: string | undefined;
  routes.push(
    route({
      method: 'get',
      path: '/openapi.json',
      tag: 'Operations',
      summary: 'This API as an OpenAPI document',
      deed: 'anyone',
      produces: 'application/json',
      run: async ({ res }) => {
        document ??= JSON.stringify(openApi(routes, config.version));
        res.type('application/json').send(document);
      },
    }),
  );
  return routes;
}
