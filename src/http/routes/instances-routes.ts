// /api/cloud-init/instances: machines that boot from a seed of this server.

import { Type } from '@sinclair/typebox';
import { parseReference } from '../../domain/references.ts';
import type { InstancesService } from '../../services/instances-service.ts';
import type { App } from '../app-types.ts';
import { callerOf } from '../plugins/authenticate.ts';
import { Done, success, successOf } from '../schemas/answer-envelope.ts';
import { ValuePath } from '../schemas/atoms.ts';
import {
  HolderAnswer,
  InstanceAnswer,
  InstanceBootAnswer,
  InstanceDetailsAnswer,
  InstancePath,
  instanceAnswer,
  instanceBootAnswer,
  instanceDetailsAnswer,
  NewInstanceBody,
  newInstanceRequest,
} from '../schemas/instance-answers.ts';
import { operation } from './operation.ts';

const INSTANCES = '/cloud-init/instances';
const INSTANCE = `${INSTANCES}/:instance` as const;

/** `baseUrl` is how machines reach this server, without a trailing slash. */
export function instancesRoutes(app: App, instances: InstancesService, baseUrl: () => string): void {
  app.get(
    INSTANCES,
    operation('instance.list', 'read', {
      summary: 'List the instances',
      success: successOf(Type.Array(InstanceAnswer)),
    }),
    async (request) => success((await instances.list(callerOf(request))).map(instanceAnswer)),
  );

  app.post(
    INSTANCES,
    operation('instance.create', 'write', {
      summary: 'Create an instance and its seed',
      body: NewInstanceBody,
      success: successOf(InstanceBootAnswer),
      failures: [422],
    }),
    async (request) => {
      const created = await instances.create(callerOf(request), newInstanceRequest(request.body));
      return success(instanceBootAnswer(created, baseUrl()));
    },
  );

  app.get(
    INSTANCE,
    operation('instance.read', 'read', {
      summary: 'Show an instance, what it was given and what it said of itself',
      params: InstancePath,
      success: successOf(InstanceDetailsAnswer),
      failures: [404],
    }),
    async (request) => {
      const details = await instances.get(callerOf(request), parseReference(request.params.instance));
      return success(instanceDetailsAnswer(details, baseUrl()));
    },
  );

  app.post(
    `${INSTANCE}/reopen`,
    operation('instance.reopen', 'write', {
      summary: 'Open the seed again, under the same URL',
      params: InstancePath,
      success: successOf(InstanceBootAnswer),
      failures: [404],
    }),
    async (request) => {
      const reopened = await instances.reopen(callerOf(request), parseReference(request.params.instance));
      return success(instanceBootAnswer(reopened, baseUrl()));
    },
  );

  app.delete(
    INSTANCE,
    operation('instance.delete', 'write', {
      summary: 'Delete an instance; its seed stays closed for good',
      params: InstancePath,
      success: Done,
      failures: [404],
    }),
    async (request) => {
      await instances.delete(callerOf(request), parseReference(request.params.instance));
      return success(null);
    },
  );

  app.get(
    '/secrets/lists/:secretList/values/:secretListValue/instances',
    operation('value.holders', 'read', {
      summary: 'List the instances that hold a value, and whether they hold an old one',
      params: ValuePath,
      success: successOf(Type.Array(HolderAnswer)),
      failures: [404],
    }),
    async (request) => {
      const { secretList, secretListValue } = request.params;
      const holders = await instances.listHolders(
        callerOf(request),
        parseReference(secretList),
        parseReference(secretListValue),
      );
      return success(
        holders.map(({ id, instanceId, hostname, version, isCurrent, lastDeliveredAt }) => ({
          id,
          instance_id: instanceId,
          hostname,
          version,
          is_current: isCurrent,
          last_delivered_at: lastDeliveredAt,
        })),
      );
    },
  );
}
