// The human pages of the API, served without the internet.
import { createRequire } from 'node:module';
import path from 'node:path';
import express, { type RequestHandler, Router } from 'express';

const START = `window.ui = SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis], layout: 'BaseLayout', validatorUrl: null, tryItOutEnabled: true });`;

export function docPages(): RequestHandler {
  const folder = path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const router = Router();
  router.get('/swagger-initializer.js', (_req, res) => {
    res.type('text/javascript').send(START);
  });
  router.use(express.static(folder, { index: 'index.html', maxAge: '1h' }));
  return router;
}
