package domain

// APIKeyCreated says that an owner made a service account with its first key. Secret names
// the key, of which only the hash is stored, in no event.
type APIKeyCreated struct {
	AccountID UserID    `json:"account_id"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	Actions   []Action  `json:"actions"`
	Secret    SecretID  `json:"secret_id"`
	Prefix    string    `json:"prefix"`
	ExpiresAt Timestamp `json:"expires_at"`
}

// APIKeyRotated says that an owner gave a service account another key. The one before is
// valid until PreviousUntil.
type APIKeyRotated struct {
	AccountID     UserID    `json:"account_id"`
	Name          string    `json:"name"`
	Secret        SecretID  `json:"secret_id"`
	Prefix        string    `json:"prefix"`
	ExpiresAt     Timestamp `json:"expires_at"`
	PreviousUntil Timestamp `json:"previous_until"`
}

// APIKeyRevoked says that an owner ended a service account with its keys.
type APIKeyRevoked struct {
	AccountID UserID `json:"account_id"`
	Name      string `json:"name"`
}

// EventType is the stored name.
func (APIKeyCreated) EventType() string { return "api_key.created" }

// EventType is the stored name.
func (APIKeyRotated) EventType() string { return "api_key.rotated" }

// EventType is the stored name.
func (APIKeyRevoked) EventType() string { return "api_key.revoked" }
