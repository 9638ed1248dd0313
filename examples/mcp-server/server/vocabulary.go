package server

import "github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"

// Tiers of users, in the order of their price.
const (
	TierFree       = "free"
	TierPro        = "pro"
	TierEnterprise = "enterprise"

	tierAnonymous = "anonymous" // of callers without credentials
)

// Names of tools.
const (
	toolSearch  = "search_documents"
	toolCount   = "count_words"
	toolConvert = "convert"
	toolWait    = "wait"
	toolShow    = "show_widget"
	toolUpdate  = "update_widget"
	toolSignUp  = "sign_up"
	toolUpgrade = "upgrade_subscription"
)

// Collections of the store, and what is done with them.
const (
	documents     = "documents"
	users         = "users"
	subscriptions = "subscriptions"

	find   = "find"
	insert = "insert"
	update = "update"
)

const (
	queueMail  = "welcome_mail"
	queueAudit = "audit_log"

	cacheDocuments = "documents"
	cacheWidgets   = "widgets"
)

// vocabulary is all that the server's labels may say.
func vocabulary() metrics.Labels {
	return metrics.Labels{
		Tools:         []string{toolSearch, toolCount, toolConvert, toolWait, toolShow, toolUpdate, toolSignUp, toolUpgrade},
		Tiers:         []string{tierAnonymous, TierFree, TierPro, TierEnterprise},
		Widgets:       widgetTypes(),
		DisplayModes:  displayModes(),
		UpdateSources: []string{updatedByUser, updatedByModel},
		Protocols:     []string{protocol},
		AuthMethods:   []string{methodBearer, methodAPIKey},
		AuthReasons:   []string{reasonExpired, reasonSignature, reasonMalformed, reasonUnknownKey, reasonScheme},
		SignupSources: signupSources(),
		Operations:    []string{find, insert, update},
		Collections:   []string{documents, users, subscriptions},
		Caches:        []string{cacheDocuments, cacheWidgets},
		Queues:        []string{queueMail, queueAudit},
	}
}
