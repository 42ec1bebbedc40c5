// Pulls all values of an account over and over, on one connection.

import { Agent, get } from 'node:http';
import { HEADERS } from './account.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function pull(): void {
  get({ port: Number(process.argv[2]), path: '/api/secrets/all-values', agent, headers: HEADERS }, (response) => {
    response.resume().on('end', pull);
  });
}

pull();
