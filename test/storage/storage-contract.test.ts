// The contract of src/storage/storage.ts, held against every engine.

import { describe } from 'vitest';
import { accountsContract } from './contract/accounts-contract.ts';
import { apiKeysContract } from './contract/api-keys-contract.ts';
import { atomicityContract } from './contract/atomicity-contract.ts';
import { auditContract } from './contract/audit-contract.ts';
import { blobsContract } from './contract/blobs-contract.ts';
import { stageFor } from './contract/contract-stage.ts';
import { instancesContract } from './contract/instances-contract.ts';
import { keysContract } from './contract/keys-contract.ts';
import { listsContract } from './contract/lists-contract.ts';
import { namesContract } from './contract/names-contract.ts';
import { quotasContract } from './contract/quotas-contract.ts';
import { revisionsContract } from './contract/revisions-contract.ts';
import { rotationContract } from './contract/rotation-contract.ts';
import { valuesContract } from './contract/values-contract.ts';
import { storageContract } from './contract/whole-storage-contract.ts';
import { engines } from './engines.ts';

describe.each(engines)('the storage on $name', (engine) => {
  const stage = stageFor(engine);

  describe('lists', () => listsContract(stage));
  describe('values', () => valuesContract(stage));
  describe('sealed values', () => blobsContract(stage));
  describe('names', () => namesContract(stage));
  describe('accounts', () => accountsContract(stage));
  describe('API keys', () => apiKeysContract(stage));
  describe('keys', () => keysContract(stage, engine));
  describe('keys that change', () => rotationContract(stage));
  describe('instances', () => instancesContract(stage));
  describe('quotas', () => quotasContract(engine));
  describe('revisions', () => revisionsContract(stage));
  describe('the audit trail', () => auditContract(stage));
  describe('each change', () => atomicityContract(stage));
  describe('as a whole', () => storageContract(stage));
});
