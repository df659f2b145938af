package notify

import "docket/eventstore"

// Rows are the rules' event types, each with the kinds that it may tell.
func Rows() map[string][]Kind {
	out := map[string][]Kind{}
	for name, row := range rules {
		out[name] = nil
		for _, r := range row {
			out[name] = append(out[name], r.kind)
		}
	}
	return out
}

// EngineStatements and APIStatements are the package's SQL by the role that runs it.
var (
	EngineStatements = map[string]string{
		"insertNotificationsSQL": insertNotificationsSQL, "channelSQL": channelSQL, "setChannelSQL": setChannelSQL,
		"recipientsSQL": recipientsSQL, "setRecipientsSQL": setRecipientsSQL, "deleteRecipientsSQL": deleteRecipientsSQL,
		"insertDeliveriesSQL": insertDeliveriesSQL, "claimSQL": claimSQL, "finishSQL": finishSQL, "pauseSQL": pauseSQL, "pausedSQL": pausedSQL, "countSQL": countSQL, "uncountSQL": uncountSQL,
		"settingsSinceSQL": settingsSinceSQL, "membershipsSQL": membershipsSQL, "deletedSQL": deletedSQL, "dropLostSQL": dropLostSQL, "dropLostDeliveriesSQL": dropLostDeliveriesSQL,
		"dropChannelSQL": dropChannelSQL, "dropRecipientsSQL": dropRecipientsSQL, "providerSQL": providerSQL,
		"putSecretSQL": putSecretSQL, "secretSQL": secretSQL,
	}
	APIStatements = map[string]string{
		"membership's version": eventstore.VersionSQL, "listSQL": listSQL, "listUnreadSQL": listUnreadSQL, "markSQL": markSQL, "markAllSQL": markAllSQL,
	}
)

// ErrForbidden is what Judge gives for an address that may not be reached.
var ErrForbidden = errForbidden

// Judge says whether an address and port may be dialled; plain is http.
func (e *Egress) Judge(address string, plain bool) error {
	return e.control(plain)("tcp", address, nil)
}

// HandlePage handles one page of events in its transaction.
var HandlePage = handle
