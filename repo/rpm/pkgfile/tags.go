package pkgfile

// Regions: the entry that opens a header block and says what is signed.
const (
	regionImage      = 61
	regionSignatures = 62
	regionImmutable  = 63
)

// Tags of the signature header (rpm's rpmSigTag).
const (
	sigLongArchiveSize = 271
	sigDSAHeader       = 267 // OpenPGP over the header
	sigRSAHeader       = 268 // OpenPGP over the header
	sigSHA1            = 269 // hex, over the header
	sigSHA256          = 273 // hex, over the header
	sigOpenPGP         = 278 // base64, OpenPGP over the header; rpm 6
	sigPGP             = 1002
	sigMD5             = 1004 // over header and payload
	sigGPG             = 1005
	sigPayloadSize     = 1007
)

// Tags of the header (rpm's rpmTag).
const (
	tagLongArchiveSize   = 271
	tagName              = 1000
	tagVersion           = 1001
	tagRelease           = 1002
	tagEpoch             = 1003
	tagSummary           = 1004
	tagDescription       = 1005
	tagBuildTime         = 1006
	tagBuildHost         = 1007
	tagSize              = 1009
	tagVendor            = 1011
	tagLicense           = 1014
	tagPackager          = 1015
	tagGroup             = 1016
	tagURL               = 1020
	tagArch              = 1022
	tagOldFilenames      = 1027
	tagFileModes         = 1030
	tagFileFlags         = 1037
	tagSourceRPM         = 1044
	tagArchiveSize       = 1046
	tagProvideName       = 1047
	tagRequireFlags      = 1048
	tagRequireName       = 1049
	tagRequireVersion    = 1050
	tagConflictFlags     = 1053
	tagConflictName      = 1054
	tagConflictVersion   = 1055
	tagChangelogTime     = 1080
	tagChangelogName     = 1081
	tagChangelogText     = 1082
	tagObsoleteName      = 1090
	tagSourcePackage     = 1106
	tagProvideFlags      = 1112
	tagProvideVersion    = 1113
	tagObsoleteFlags     = 1114
	tagObsoleteVersion   = 1115
	tagDirIndexes        = 1116
	tagBaseNames         = 1117
	tagDirNames          = 1118
	tagLongSize          = 5009
	tagRecommendName     = 5046
	tagRecommendVersion  = 5047
	tagRecommendFlags    = 5048
	tagSuggestName       = 5049
	tagSuggestVersion    = 5050
	tagSuggestFlags      = 5051
	tagSupplementName    = 5052
	tagSupplementVersion = 5053
	tagSupplementFlags   = 5054
	tagEnhanceName       = 5055
	tagEnhanceVersion    = 5056
	tagEnhanceFlags      = 5057
	tagPayloadDigest     = 5092 // hex, over the compressed payload
	tagPayloadDigestAlgo = 5093 // OpenPGP's number of the hash
)
