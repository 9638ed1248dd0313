//go:build !remove_all_sd

package mechanisms_test

import "testing"

// amazonItem has credentials, and where to ask.
const amazonItem = "endpoint: '$URL', access_key: a, secret_key: b, port: 3000, $REFRESH"

var amazon = map[string]recording{
	"lightsail": {
		config: "lightsail_sd_configs: [{" + amazonItem + "}]",
		answers: map[string]string{
			"GetInstances": `{"instances": [{"name": "mcp-1", "supportCode": "621291663362/i-0aaf2c1dd2b4b1a2c", "privateIpAddress": "172.26.4.17",
				"publicIpAddress": "192.0.2.7", "blueprintId": "debian_12", "bundleId": "small_3_0", "state": {"code": 16, "name": "running"},
				"location": {"availabilityZone": "eu-central-1a", "regionName": "eu-central-1"},
				"tags": [{"key": "environment", "value": "production"}, {"key": "version", "value": "v2"}]}]}`,
		},
		want: "172.26.4.17:3000 621291663362/i-0aaf2c1dd2b4b1a2c production eu-central-1 v2",
	},
	"aws with the role lightsail": {
		config: "aws_sd_configs: [{role: lightsail, " + amazonItem + "}]",
		answers: map[string]string{
			"GetInstances": `{"instances": [{"supportCode": "1/i-2", "privateIpAddress": "172.26.4.18", "tags": [{"key": "env", "value": "staging"}]}]}`,
		},
		want: "172.26.4.18:3000 1/i-2 staging eu-central-1 ",
	},
	"aws with the role ec2": {
		config: "aws_sd_configs: [{role: ec2, " + amazonItem + "}]",
		answers: map[string]string{
			"Action=DescribeAvailabilityZones": `<DescribeAvailabilityZonesResponse><availabilityZoneInfo><item><zoneName>eu-central-1a</zoneName>
				<zoneId>euc1-az2</zoneId></item></availabilityZoneInfo></DescribeAvailabilityZonesResponse>`,
			"Action=DescribeInstances": `<DescribeInstancesResponse><reservationSet><item><ownerId>1</ownerId><instancesSet><item><instanceId>i-1</instanceId>
				<privateIpAddress>10.0.0.21</privateIpAddress><instanceState><code>16</code><name>running</name></instanceState>
				<placement><availabilityZone>eu-central-1a</availabilityZone></placement><tagSet><item><key>environment</key><value>production</value></item>
				<item><key>version</key><value>v2</value></item></tagSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`,
		},
		spare: "Action=DescribeAvailabilityZones",
		want:  "10.0.0.21:3000 i-1 production eu-central-1 v2",
	},
	"aws with the role ecs": {config: ecsItem, answers: tasks, want: "10.0.0.22:3000 arn:aws:ecs:eu-central-1:1:task/c/t1 production eu-central-1 v2"},
	"aws with the role ecs and tags of a cluster": {
		config: ecsItem,
		answers: but(tasks, ".DescribeServices", `{"services": [], "failures": []}`,
			".DescribeClusters", `{"clusters": [{"clusterArn": "arn:aws:ecs:eu-central-1:1:cluster/c", "tags": [{"key": "env", "value": "staging"}]}], "failures": []}`),
		want: "10.0.0.22:3000 arn:aws:ecs:eu-central-1:1:task/c/t1 staging eu-central-1 v2",
	},
	"elasticache":                                   {config: "elasticache_sd_configs: [{" + amazonItem + "}]", answers: cacheCluster, want: cacheTarget},
	"aws with the role elasticache":                 {config: "aws_sd_configs: [{role: elasticache, " + amazonItem + "}]", answers: cacheCluster, want: cacheTarget},
	"elasticache without servers":                   {config: "elasticache_sd_configs: [{" + amazonItem + "}]", answers: serverlessCache, want: serverlessTarget},
	"aws with the role elasticache without servers": {config: "aws_sd_configs: [{role: elasticache, " + amazonItem + "}]", answers: serverlessCache, want: serverlessTarget},
	"msk": {config: "msk_sd_configs: [{" + amazonItem + "}]", answers: brokers, want: brokerTarget},
	"msk by clusters": {
		config: "msk_sd_configs: [{clusters: ['arn:aws:kafka:eu-central-1:1:cluster/mcp/u-1'], " + amazonItem + "}]",
		answers: but(brokers,
			"/mcp/u-1", `{"clusterInfo": {"clusterArn": "arn:aws:kafka:eu-central-1:1:cluster/mcp/u-1", "clusterType": "PROVISIONED", "tags": {"env": "staging"}}}`),
		odd:  map[string]string{"/mcp/u-1": "{}"},
		want: "b-1.mcp.kafka.example.com:3000 arn:aws:kafka:eu-central-1:1:broker/mcp/u-1/b-1 staging eu-central-1 ",
	},
	"aws with the role msk": {config: "aws_sd_configs: [{role: msk, " + amazonItem + "}]", answers: brokers, want: brokerTarget},
	"rds":                   {config: "rds_sd_configs: [{" + amazonItem + "}]", answers: databases, want: databaseTarget},
	"aws with the role rds": {config: "aws_sd_configs: [{role: rds, " + amazonItem + "}]", answers: databases, want: databaseTarget},
}

// ecsItem has no endpoint: the questions to EC2 don't know it.
const ecsItem = "aws_sd_configs: [{role: ecs, $PROXY, access_key: a, secret_key: b, port: 3000, $REFRESH}]"

var tasks = map[string]string{
	".ListClusters":     `{"clusterArns": ["arn:aws:ecs:eu-central-1:1:cluster/c"]}`,
	".DescribeClusters": `{"clusters": [{"clusterArn": "arn:aws:ecs:eu-central-1:1:cluster/c", "clusterName": "c", "status": "ACTIVE"}], "failures": []}`,
	".ListServices":     `{"serviceArns": ["arn:aws:ecs:eu-central-1:1:service/c/mcp"]}`,
	".DescribeServices": `{"services": [{"serviceArn": "arn:aws:ecs:eu-central-1:1:service/c/mcp", "serviceName": "mcp", "status": "ACTIVE",
		"tags": [{"key": "environment", "value": "production"}]}], "failures": []}`,
	".ListTasks": `{"taskArns": ["arn:aws:ecs:eu-central-1:1:task/c/t1"]}`,
	".DescribeTasks": `{"tasks": [{"taskArn": "arn:aws:ecs:eu-central-1:1:task/c/t1", "clusterArn": "arn:aws:ecs:eu-central-1:1:cluster/c",
		"group": "service:mcp", "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "launchType": "FARGATE", "healthStatus": "HEALTHY",
		"taskDefinitionArn": "arn:aws:ecs:eu-central-1:1:task-definition/mcp:1", "tags": [{"key": "version", "value": "v2"}],
		"attachments": [{"type": "ElasticNetworkInterface", "details": [{"name": "networkInterfaceId", "value": "eni-1"},
			{"name": "privateIPv4Address", "value": "10.0.0.22"}]}]}], "failures": []}`,
	"Action=DescribeNetworkInterfaces": `<DescribeNetworkInterfacesResponse><networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId></item>
		</networkInterfaceSet></DescribeNetworkInterfacesResponse>`,
}

var cacheCluster = map[string]string{
	"Action=DescribeServerlessCaches": result("DescribeServerlessCaches", "<ServerlessCaches/>"),
	"Action=DescribeCacheClusters": result("DescribeCacheClusters", `<CacheClusters><CacheCluster><CacheClusterId>mcp</CacheClusterId>
		<ARN>arn:aws:elasticache:eu-central-1:1:cluster:mcp</ARN><CacheClusterStatus>available</CacheClusterStatus><Engine>valkey</Engine>
		<CacheNodes><CacheNode><CacheNodeId>0001</CacheNodeId><CacheNodeStatus>available</CacheNodeStatus>
		<Endpoint><Address>mcp.0001.cache.example.com</Address><Port>6379</Port></Endpoint></CacheNode></CacheNodes></CacheCluster></CacheClusters>`),
	"Action=ListTagsForResource": cacheTags,
}

var serverlessCache = but(cacheCluster,
	"Action=DescribeCacheClusters", result("DescribeCacheClusters", "<CacheClusters/>"),
	"Action=DescribeServerlessCaches", result("DescribeServerlessCaches", `<ServerlessCaches><member><ServerlessCacheName>mcp</ServerlessCacheName>
		<ARN>arn:aws:elasticache:eu-central-1:1:serverlesscache:mcp</ARN><Status>available</Status>
		<Endpoint><Address>mcp.serverless.example.com</Address><Port>6379</Port></Endpoint></member></ServerlessCaches>`))

var brokers = map[string]string{
	"/api/v2/clusters": `{"clusterInfoList": [{"clusterArn": "arn:aws:kafka:eu-central-1:1:cluster/mcp/u-1", "clusterName": "mcp", "clusterType": "PROVISIONED",
		"state": "ACTIVE", "currentVersion": "K1", "tags": {"environment": "production", "version": "v2"}}]}`,
	"/nodes": `{"nodeInfoList": [{"nodeARN": "arn:aws:kafka:eu-central-1:1:broker/mcp/u-1/b-1", "nodeType": "BROKER", "instanceType": "m7g.large",
		"brokerNodeInfo": {"brokerId": 1, "attachedENIId": "eni-1", "clientSubnet": "subnet-1", "clientVpcIpAddress": "10.0.0.31",
			"endpoints": ["b-1.mcp.kafka.example.com"]}}]}`,
}

var databases = map[string]string{
	"Action=DescribeDBClusters": result("DescribeDBClusters", `<DBClusters><DBCluster><DBClusterIdentifier>mcp</DBClusterIdentifier>
		<DBClusterArn>arn:aws:rds:eu-central-1:1:cluster:mcp</DBClusterArn><Status>available</Status><TagList><Tag><Key>environment</Key><Value>production</Value></Tag></TagList>
		<DBClusterMembers><DBClusterMember><DBInstanceIdentifier>mcp-1</DBInstanceIdentifier><IsClusterWriter>true</IsClusterWriter></DBClusterMember></DBClusterMembers>
		</DBCluster></DBClusters>`),
	"Action=DescribeDBInstances": result("DescribeDBInstances", `<DBInstances><DBInstance><DBInstanceIdentifier>mcp-1</DBInstanceIdentifier>
		<DBInstanceArn>arn:aws:rds:eu-central-1:1:db:mcp-1</DBInstanceArn><DbiResourceId>db-7KJ2</DbiResourceId><DBInstanceStatus>available</DBInstanceStatus>
		<Endpoint><Address>mcp-1.rds.example.com</Address><Port>5432</Port></Endpoint><TagList><Tag><Key>version</Key><Value>v2</Value></Tag></TagList>
		</DBInstance></DBInstances>`),
}

const (
	serverlessTarget = "mcp.serverless.example.com:6379 arn:aws:elasticache:eu-central-1:1:serverlesscache:mcp production eu-central-1 v2"
	cacheTarget      = "mcp.0001.cache.example.com:6379 arn:aws:elasticache:eu-central-1:1:cluster:mcp production eu-central-1 v2"
	brokerTarget     = "b-1.mcp.kafka.example.com:3000 arn:aws:kafka:eu-central-1:1:broker/mcp/u-1/b-1 production eu-central-1 v2"
	databaseTarget   = "mcp-1.rds.example.com:3000 db-7KJ2 production eu-central-1 v2"
)

var cacheTags = result("ListTagsForResource", `<TagList><Tag><Key>environment</Key><Value>production</Value></Tag><Tag><Key>version</Key><Value>v2</Value></Tag></TagList>`)

// result is an answer of Amazon's query protocol.
func result(action, text string) string {
	return "<" + action + "Response><" + action + "Result>" + text + "</" + action + "Result></" + action + "Response>"
}

// A cluster whose ARN is none is left out, with a warning only.
func TestNoARN(t *testing.T) {
	recording{config: "elasticache_sd_configs: [{clusters: [mcp], " + amazonItem + "}]", answers: cacheCluster}.failed(t, fault{})
}
